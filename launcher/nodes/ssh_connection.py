"""One SSH connection, and why it could not be had. The only module that talks to paramiko's transport.

The key that the server shows is compared here and nowhere else, before anything is sent to it: unknown or
changed ends the attempt. paramiko's own client is not used for that, since it knows one key a kind and host,
and two are pinned while a machine's key is changed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shlex
import socket
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar

import paramiko

from launcher.errors import (
    HostKeyError,
    NodeError,
    SshAuthenticationError,
    SshError,
    SshRefusedError,
    SshTimeoutError,
)
from launcher.nodes.node import Completed
from launcher.nodes.ssh_keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from launcher.nodes.ssh_address import Address
    from launcher.nodes.ssh_keys import KnownKeys

_ATTEMPT_S = 15.0
_AGAIN_S = 1.0
_KEEPALIVE_S = 20
_DEAD_S = 120  # without an answer to what was sent, keepalives included: nobody is there any more
_REPEATS = 3
_ANSWER_S = 5.0
_LAST_WORDS_S = 2.0
_LAST_WORDS_BYTES = 2000
_LAST_LINES = 3
# Half the processor time of the default on both ends.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_WINDOW_BYTES = 1 << 22

_Answer = TypeVar("_Answer")

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # what it has to say, errors say better


class Connection:
    """A connection that is made again when it is needed and was lost.

    Args:
        address: of the server.
        dial: makes a transport that is authenticated.
        insist: makes it again and again, with patience.
        tell: takes a line when it was lost and what was going on is begun anew; None begins nothing anew.
    """

    def __init__(
        self,
        address: Address,
        dial: Callable[[float], paramiko.Transport],
        insist: Callable[[Connection], None],
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.address = address
        self._dial, self._insist, self._tell = dial, insist, tell
        self._transport: paramiko.Transport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def server_key(self) -> PublicKey:
        """The key by which the server proved who it is."""
        return _key_of(self.transport())

    def transport(self, *, patience_s: float = _ATTEMPT_S) -> paramiko.Transport:
        """Return the transport; a lost one is made anew, by one attempt.

        Raises:
            SshError: it could not be made.
        """
        if self._transport is None or not self._transport.is_active():
            self.close()
            self._transport = self._dial(patience_s)
        return self._transport

    def connect(self) -> None:
        """Connect anew, trying again while nobody answers: a server that was just started takes a moment.

        Raises:
            SshError: nobody answered in time, or another try is no help.
        """
        self.close()
        self._insist(self)

    def persist(self, step: Callable[[], _Answer]) -> _Answer:
        """Take a step that may be taken twice; where the connection is lost, connect and take it again.

        Raises:
            SshError: nobody answered in time, it is lost time and again, or another try is no help.
        """
        if self._tell is None:
            return step()
        for _ in range(_REPEATS):
            try:
                return step()
            except (SshAuthenticationError, HostKeyError):
                raise
            except SshError as error:
                self._tell(f"{error.what} Connecting again.")
                self.connect()
        return step()

    def run_as_admin(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run a program to its end as the user that logs in; it may be run twice where we persist.

        Raises:
            SshError: the connection was lost.
            NodeError: it took too long.
        """
        return self.persist(lambda: self._run_as_admin(argv, timeout_s, stdin))

    def _run_as_admin(self, argv: Sequence[str], timeout_s: float, stdin: bytes) -> Completed:
        pipe = self.open(argv)
        try:
            pipe.set_timeout(timeout_s)
            with contextlib.suppress(EOFError):  # it needs no more of it
                pipe.send(stdin)
            return pipe.finish()
        except SshTimeoutError as error:
            if not self._is_answered():
                raise
            raise NodeError(f"{argv[0]} did not end within {timeout_s:g} s.", "Try again.") from error
        finally:
            pipe.close()

    def _is_answered(self) -> bool:
        """Tell whether the server answers at once: if not, it is the network that is slow, and no program."""
        transport = self._transport
        if transport is None:
            return False
        asking = Thread(target=transport.global_request, args=("keepalive@openssh.com",), daemon=True)
        asking.start()
        asking.join(_ANSWER_S)
        return not asking.is_alive() and transport.is_active()

    def open(self, argv: Sequence[str]) -> ChannelPipe:
        """Start a program and return its streams; it ends when they are closed, if it listens to them."""
        try:
            # The network may be away for a while: what was sent is sent again, until nobody can be there.
            channel = self.transport().open_session(timeout=_DEAD_S)
            channel.settimeout(_ATTEMPT_S)
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.close()
            raise _lost(self.address, error) from error
        return ChannelPipe(channel, self.address)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


class ChannelPipe:
    """A program at the other end, by its streams."""

    def __init__(self, channel: paramiko.Channel, address: Address) -> None:
        self._channel, self._address = channel, address
        self._timeout_s = _ATTEMPT_S

    def set_timeout(self, seconds: float) -> None:
        """Say how long to wait for the next bytes."""
        self._timeout_s = seconds
        self._channel.settimeout(seconds)

    def receive(self, size: int) -> bytes:
        """Return some bytes; none at the end."""
        with self._translating():
            data: bytes = self._channel.recv(size)
        if not data and not self._channel.get_transport().is_active():
            raise _lost(self._address, EOFError())
        return data

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            EOFError: the program ended before it had all.
            SshError: the connection was lost.
        """
        try:
            with self._translating():
                self._channel.sendall(data)
        except SshError as error:
            if self._channel.closed and self._channel.get_transport().is_active():
                raise EOFError from error
            raise

    def finish(self) -> Completed:
        """Say that no more comes, and wait for the end."""
        with self._translating():
            self._channel.shutdown_write()
            out = b"".join(iter(lambda: self.receive(1 << 16), b""))
            err = b"".join(iter(lambda: self._channel.recv_stderr(1 << 16), b""))
            code: int = self._channel.recv_exit_status()
        return Completed(code, out, err)

    def last_words(self) -> str:
        """Return what the program said on its error stream before it ended."""
        said = b""
        with contextlib.suppress(OSError, paramiko.SSHException):
            self._channel.settimeout(_LAST_WORDS_S)
            while len(said) < _LAST_WORDS_BYTES and (piece := self._channel.recv_stderr(_LAST_WORDS_BYTES)):
                said += piece
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return "; ".join(line.strip() for line in lines[-_LAST_LINES:])

    def close(self) -> None:
        """Close the streams."""
        self._channel.close()

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise SshTimeoutError(
                f"{self._address} has said nothing for {self._timeout_s:g} s.",
                "What runs there goes on. Look at the network, then try again.",
            ) from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _lost(self._address, error) from error


def connect(
    address: Address,
    *,
    key: Path | None,
    known: KnownKeys,
    timeout_s: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
    own_keys: Sequence[Path] = (),
    tell: Callable[[str], None] | None = None,
) -> Connection:
    """Connect, trying again while nobody answers; leave the connection as a context manager.

    Args:
        key: the login key; None means the user's agent, and then `own_keys`.
        known: the keys by which the server may prove who it is.
        timeout_s: how long to try.
        tell: as of `Connection`.

    Raises:
        SshRefusedError, SshTimeoutError: nobody answered until then.
        SshAuthenticationError, HostKeyError: another try is no help.
    """

    def dial(patience_s: float) -> paramiko.Transport:
        seconds = max(1.0, min(_ATTEMPT_S, patience_s))
        return _dial(address, key=key, known=known, own_keys=own_keys, timeout_s=seconds)

    def insist(connection: Connection) -> None:
        until = clock() + timeout_s
        while True:
            try:
                connection.transport(patience_s=until - clock())
            except (SshAuthenticationError, HostKeyError):
                raise
            except SshError:
                if clock() + _AGAIN_S > until:
                    raise
                sleep(_AGAIN_S)
            else:
                return

    connection = Connection(address, dial, insist, tell)
    connection.connect()
    return connection


def _dial(
    address: Address, *, key: Path | None, known: KnownKeys, own_keys: Sequence[Path], timeout_s: float
) -> paramiko.Transport:
    keys = known.keys_of(address)
    if not keys:
        raise HostKeyError(
            f"The host key of {address} is not known.",
            f"Connect once by hand, and compare what it shows: ssh {_ssh_words(address)}",
        )
    transport = paramiko.Transport(_open_socket(address, timeout_s), default_window_size=_WINDOW_BYTES)
    try:
        _greet(transport, address, keys, timeout_s=timeout_s)
        _log_in(transport, address, key=key, own_keys=own_keys, timeout_s=timeout_s)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(_KEEPALIVE_S)
    return transport


def _open_socket(address: Address, timeout_s: float) -> socket.socket:
    try:
        opened = socket.create_connection((address.host, address.port), timeout=timeout_s)
    except ConnectionRefusedError as error:
        raise SshRefusedError(
            f"{address} refuses connections to port {address.port}.", "Is its SSH server running?"
        ) from error
    except (TimeoutError, socket.gaierror, OSError) as error:
        raise _unreachable(address, error, timeout_s) from error
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere the system's own patience, some ten minutes
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_S * 1000)
    return opened


def _unreachable(address: Address, error: OSError, timeout_s: float) -> SshError:
    if isinstance(error, socket.gaierror):
        return SshError(f"There is no host {address.host!r}: {error.strerror}.", "Look at its name.")
    if isinstance(error, TimeoutError) or error.errno in {errno.ETIMEDOUT, errno.EHOSTUNREACH}:
        return SshTimeoutError(
            f"{address} does not answer on port {address.port} within {timeout_s:g} s.",
            "Is it on, and does a firewall let us through?",
        )
    return SshError(f"{address} cannot be reached: {error.strerror}.", "Look at the network.")


def _greet(
    transport: paramiko.Transport, address: Address, keys: Sequence[PublicKey], *, timeout_s: float
) -> None:
    """Agree on ciphers, and see that the server is who it should be."""
    options = transport.get_security_options()
    options.ciphers = tuple(name for name in _CIPHERS if name in options.ciphers)
    kinds = {name for key in keys for name in (_RSA if key.kind == "ssh-rsa" else (key.kind,))}
    options.key_types = tuple(name for name in options.key_types if name in kinds) or options.key_types
    transport.banner_timeout = timeout_s
    try:
        transport.start_client(timeout=timeout_s)
        shown = _key_of(transport)  # after a timeout, of which paramiko says nothing, there is none
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise HostKeyError(
            f"{address} shows no host key of the kind that is known: {error}.", _IF_CHANGED
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise SshTimeoutError(
            f"{address} does not answer as an SSH server: {str(error) or 'it hung up'}.",
            "Is this the right port?",
        ) from error
    if shown not in keys:
        raise HostKeyError(
            f"The host key of {address} is not the one that is known: it may be another computer.",
            _IF_CHANGED,
        )


_IF_CHANGED = "If its key was changed on purpose, replace the line in known_hosts; else do not connect."


def _log_in(
    transport: paramiko.Transport,
    address: Address,
    *,
    key: Path | None,
    own_keys: Sequence[Path],
    timeout_s: float,
) -> None:
    locked: list[str] = []
    is_refused = False
    for found in _load([key], locked) if key else _own_keys(own_keys, locked):
        try:
            if _is_accepted(transport, address, found, timeout_s):
                return
        except (paramiko.SSHException, EOFError, OSError) as error:
            if is_refused:  # a server lets nobody try more than a few, and hangs up
                break
            raise _lost(address, error) from error
        is_refused = True
    hint = f" {', '.join(locked)} needs a passphrase: ssh-add it." if locked else ""
    raise SshAuthenticationError(
        f"{address} accepts none of our keys.", f"Try by hand: ssh {_ssh_words(address)}.{hint}"
    )


def _is_accepted(
    transport: paramiko.Transport, address: Address, key: paramiko.PKey, timeout_s: float
) -> bool:
    """Show one key. Only an answer is a refusal: paramiko itself calls silence and a hang-up by that name."""
    answered = Event()
    transport.auth_publickey(address.user, key, answered)
    if not answered.wait(timeout_s):
        raise SshTimeoutError(f"{address} does not answer to our key within {timeout_s:g} s.", "Try again.")
    if transport.is_authenticated():
        return True
    error = transport.get_exception()
    if transport.is_active() or isinstance(error, paramiko.AuthenticationException):
        return False
    raise error or EOFError


def _own_keys(files: Sequence[Path], locked: list[str]) -> Iterator[paramiko.PKey]:
    # Named files before the agent's many, of which a server may hear a few only.
    yield from _load(files, locked)
    agent = paramiko.Agent()
    try:
        yield from agent.get_keys()
    finally:
        agent.close()


def _load(files: Sequence[Path], locked: list[str]) -> Iterator[paramiko.PKey]:
    for file in files:
        try:
            yield paramiko.PKey.from_path(file)
        except FileNotFoundError:
            continue
        except (paramiko.PasswordRequiredException, TypeError):
            locked.append(str(file))
        except (paramiko.SSHException, OSError, ValueError):
            continue


def _key_of(transport: paramiko.Transport) -> PublicKey:
    key: Any = transport.get_remote_server_key()
    return PublicKey(key.get_name(), key.asbytes())


def _ssh_words(address: Address) -> str:
    port = "" if address.port == 22 else f"-p {address.port} "  # noqa: PLR2004
    return f"{port}{address.user}@{address.host}"


def _lost(address: Address, error: BaseException) -> SshError:
    reason = str(error).rstrip(".") or "it hung up"
    return SshError(
        f"The connection to {address} is lost: {reason}.",
        "What runs there goes on. Come back: launcher attach",
    )
