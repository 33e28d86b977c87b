"""SSH as it goes wrong: who may be talked to, with which key, and how each failure is told."""

from __future__ import annotations

import getpass
import shlex
import shutil
import socket
import stat
import subprocess
import time
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from launcher.errors import (
    HostKeyError,
    NodeError,
    SshAuthenticationError,
    SshError,
    SshRefusedError,
    SshTimeoutError,
)
from launcher.nodes.ssh import SshNode
from launcher.nodes.ssh_address import Address
from launcher.nodes.ssh_connection import connect
from launcher.nodes.ssh_keys import HostKeys, UserHostKeys, make_key, parse_public_key
from launcher.nodes.ssh_rotation import rotate_host_key
from tests.sshd import free_port, running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sshd import Sshd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "a'; sshd") as server:
        yield server


def failing(server: Sshd, **other: object) -> None:
    asked: dict[str, object] = {
        "key": server.key,
        "known": server.known,
        "timeout_s": 1.0,
        "sleep": time.sleep,
        "clock": time.monotonic,
        **other,
    }
    connect(server.address, **asked)  # type: ignore[arg-type]


# Keys


def test_a_login_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    line = make_key(tmp_path / "keys" / "login")

    assert line.startswith("ssh-ed25519 ")
    assert make_key(tmp_path / "keys" / "login") == line
    assert stat.S_IMODE((tmp_path / "keys" / "login").stat().st_mode) == 0o600
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "keys" / "login"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[:2] == line.split()


def test_several_keys_of_a_machine_are_pinned_at_once_as_ssh_itself_reads_them(tmp_path: Path) -> None:
    lines = [make_key(tmp_path / name) for name in ("one", "two")]
    known = HostKeys(tmp_path / "keys" / "i-123.known_hosts")

    known.pin(lines)

    assert [key.line for key in known.pinned()] == lines
    found = subprocess.run(
        ["ssh-keygen", "-F", "i-123", "-f", known.path], capture_output=True, text=True, check=True
    )
    assert all(line in found.stdout for line in lines)
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa " + "A" * 40])
def test_what_is_no_key_is_never_pinned(tmp_path: Path, line: str) -> None:
    known = HostKeys(tmp_path / "m.known_hosts")

    with pytest.raises(HostKeyError, match="no public key"):
        known.pin([line])

    assert known.pinned() == ()


def test_the_users_known_hosts_are_honoured_with_ports_and_hashed_names(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    file = tmp_path / "known_hosts"
    file.write_text(f"# mine\n\nplain,10.0.0.1 {key}\n[ported]:2222 {key}\nhashed {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    with file.open("a") as more:
        more.write(f"@revoked other {key}\nbroken x\n")
    known = UserHostKeys([file, tmp_path / "missing"])

    def count(host: str, port: int = 22) -> int:
        return len(known.keys_of(Address(host, port)))

    assert "plain" not in file.read_text()
    assert [count("plain"), count("10.0.0.1"), count("hashed"), count("ported", 2222)] == [1, 1, 1, 1]
    assert [count("ported"), count("plain", 2222), count("other"), count("stranger")] == [0, 0, 0, 0]
    assert known.keys_of(Address("plain")) == (parse_public_key(key),)


# Failures told apart


def test_a_stranger_is_not_even_talked_to(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match="is not known") as told:
        failing(server, known=UserHostKeys([tmp_path / "none"]))

    assert f"ssh -p {server.address.port} " in told.value.todo


def test_a_changed_host_key_ends_the_attempt_before_our_key_is_shown(server: Sshd, tmp_path: Path) -> None:
    other = HostKeys(tmp_path / "m.known_hosts")
    other.pin([make_key(tmp_path / "other")])

    with pytest.raises(HostKeyError, match="not the one that is known"):
        failing(server, known=other)

    assert "Accepted publickey" not in (server.folder / "log").read_text()


def test_a_host_key_of_another_kind_is_a_changed_one(server: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "ecdsa"], check=True)
    other = HostKeys(tmp_path / "m.known_hosts")
    other.pin([(tmp_path / "ecdsa.pub").read_text()])

    with pytest.raises(HostKeyError, match="no host key of the kind"):
        failing(server, known=other)


def test_a_key_that_is_not_accepted_is_told_as_that(server: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / "other")

    with pytest.raises(SshAuthenticationError, match="none of our keys"):
        failing(server, key=tmp_path / "other")


def test_the_users_keys_are_tried_in_order_and_those_with_a_passphrase_are_named(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    locked, other = tmp_path / "locked", tmp_path / "other"
    make_key(other)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", locked], check=True)
    (tmp_path / "odd").write_text("no key\n")
    keys = [tmp_path / "missing", locked, other, tmp_path / "odd"]

    with pytest.raises(SshAuthenticationError) as told:
        failing(server, key=None, own_keys=keys)
    failing(server, key=None, own_keys=[*keys, server.key])

    assert f"{locked} needs a passphrase: ssh-add it" in told.value.todo


# `sshd` asks it about keys that its own file lacks; as long as that takes, the server says nothing.
SLOW = f"AuthorizedKeysCommand {shutil.which('sleep')} 30\nAuthorizedKeysCommandUser {getpass.getuser()}\n"


def test_a_server_that_falls_silent_during_the_login_has_refused_nothing(tmp_path: Path) -> None:
    make_key(tmp_path / "other")

    with (
        running_sshd(tmp_path / "sshd", more=SLOW) as server,
        pytest.raises(SshTimeoutError, match="does not answer to our key"),
    ):
        failing(server, key=tmp_path / "other")


def test_a_server_that_hangs_up_during_the_login_has_refused_nothing(tmp_path: Path) -> None:
    make_key(tmp_path / "other")

    with (
        running_sshd(tmp_path / "sshd", more=f"{SLOW}LoginGraceTime 1\n") as server,
        pytest.raises(SshError, match="is lost: it hung up") as told,
    ):
        failing(server, key=tmp_path / "other", timeout_s=2.0)

    assert not isinstance(told.value, SshAuthenticationError)


def test_a_server_that_hangs_up_on_many_keys_has_refused_them(tmp_path: Path) -> None:
    keys = [tmp_path / str(number) for number in range(4)]
    for key in keys:
        make_key(key)

    with (
        running_sshd(tmp_path / "sshd", more="MaxAuthTries 2\n") as server,
        pytest.raises(SshAuthenticationError, match="none of our keys"),
    ):
        failing(server, key=None, own_keys=keys)


def test_nobody_listening_is_tried_again_until_the_time_is_over() -> None:
    slept: list[float] = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    class Known:
        def keys_of(self, address: Address) -> tuple[object, ...]:
            return (address,)

    with pytest.raises(SshRefusedError, match="refuses connections"):
        connect(
            Address("127.0.0.1", free_port(), "me"),
            key=None,
            known=Known(),  # type: ignore[arg-type]
            timeout_s=3.5,
            sleep=sleep,
            clock=lambda: clock[0],
        )

    assert slept == [1.0, 1.0, 1.0]


def test_a_server_that_says_nothing_is_a_timeout(server: Sshd) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()

        with pytest.raises(SshTimeoutError, match="does not answer as an SSH server"):
            server.connect(port=silent.getsockname()[1], timeout_s=0.5)


def test_a_host_that_does_not_exist_is_named(server: Sshd) -> None:
    with pytest.raises(SshError, match=r"no host 'no-such\.invalid'"):
        connect(
            Address("no-such.invalid", 22, "me"),
            key=server.key,
            known=server.known,
            timeout_s=0.1,
            sleep=time.sleep,
            clock=time.monotonic,
        )


# Connections that are lost


def node_of(server: Sshd, connection: object) -> SshNode:
    return SshNode(connection, home=PurePosixPath(server.home / ".launcher"), python="/usr/bin/python3")  # type: ignore[arg-type]


def test_a_lost_connection_is_told_and_made_again_when_it_is_needed(server: Sshd) -> None:
    with server.connect() as connection:
        node = node_of(server, connection)
        assert node.run(["echo", "1"], timeout_s=10).stdout == b"1\n"

        server.hang_up()
        with pytest.raises(SshError):
            run_until_it_fails(node)

        assert node.run(["echo", "3"], timeout_s=10).stdout == b"3\n"


def run_until_it_fails(node: SshNode) -> None:
    for _ in range(50):  # the kernel tells of a loss a little later
        node.run(["echo", "2"], timeout_s=10)
        time.sleep(0.1)


def test_a_network_that_swallows_everything_is_a_timeout(server: Sshd) -> None:
    with server.connect() as connection:
        pipe = connection.open(["sleep", "60"])
        pipe.set_timeout(0.2)

        with pytest.raises(SshTimeoutError, match=r"said nothing for 0\.2 s"):
            pipe.receive(1)
        pipe.close()


def test_a_program_as_admin_gets_its_input_and_gives_its_streams_and_code(server: Sshd) -> None:
    with server.connect() as connection:
        argv = ["sh", "-c", 'cat; printf "%s" "$1" >&2; exit 3', "sh", "a'; echo b"]

        done = connection.run_as_admin(argv, timeout_s=10, stdin=b"in\0")
        with pytest.raises(NodeError, match=r"within 0\.2 s"):
            connection.run_as_admin(["sleep", "60"], timeout_s=0.2)

    assert (done.exit_code, done.stdout, done.stderr) == (3, b"in\0", b"a'; echo b")


def test_a_python_that_is_not_there_is_told_in_the_words_of_the_node(server: Sshd) -> None:
    with server.connect() as connection:
        node = SshNode(connection, home=PurePosixPath("/none"), python="no-such-python")

        with pytest.raises(NodeError, match="no-such-python"):
            node.run(["true"], timeout_s=10)


def test_a_program_that_ended_takes_no_more_and_is_no_lost_connection(server: Sshd) -> None:
    more_than_fits = b"x" * (1 << 24)
    with server.connect() as connection:
        pipe = connection.open(["true"])
        with pytest.raises(EOFError):
            pipe.send(more_than_fits)
        argv = ["sh", "-c", "echo enough; exit 3"]
        done = connection.run_as_admin(argv, timeout_s=10, stdin=more_than_fits)

    assert (done.exit_code, done.stdout) == (3, b"enough\n")


# A network that goes away


def hang_up_once(server: Sshd, then: str) -> list[str]:
    """Return a program that cuts our connection the first time it is run."""
    mark = shlex.quote(str(server.folder / "hung up"))
    cut = f"test -e {mark} || {{ touch {mark}; pkill -9 -P {server.process.pid}; sleep 60; }}"
    return ["sh", "-c", f"{cut}; {then}"]


@pytest.mark.parametrize("is_admin", [True, False])
def test_who_persists_connects_again_and_begins_anew(server: Sshd, *, is_admin: bool) -> None:
    told: list[str] = []
    with server.connect(tell=told.append) as connection:
        run = connection.run_as_admin if is_admin else node_of(server, connection).run

        done = run(hang_up_once(server, "echo done"), timeout_s=30)

    assert done.stdout == b"done\n"
    assert len(told) == 1
    assert told[0].endswith("Connecting again.")


def test_a_connection_that_is_lost_time_and_again_is_given_up(server: Sshd) -> None:
    told: list[str] = []
    with server.connect(tell=told.append) as connection, pytest.raises(SshError, match="is lost"):
        connection.run_as_admin(["sh", "-c", f"pkill -9 -P {server.process.pid}; sleep 60"], timeout_s=30)

    assert len(told) == 3


def test_a_network_that_is_slow_is_not_taken_for_a_program_that_is(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.nodes.ssh_connection._ANSWER_S", 0.2)
    silence = ["sh", "-c", f"pkill -STOP -P {server.process.pid}; sleep 60"]
    with server.connect() as connection, pytest.raises(SshTimeoutError, match="said nothing"):
        connection.run_as_admin(silence, timeout_s=0.5)


@pytest.mark.root
def test_what_is_run_as_somebody_else_is_theirs(server: Sshd) -> None:
    with server.connect() as connection:
        node = SshNode(connection, home=PurePosixPath("/none"), python="/usr/bin/python3", run_as="nobody")

        assert node.run(["id", "-un"], timeout_s=10).stdout == b"nobody\n"


@pytest.mark.root
def test_a_user_that_cannot_be_become_is_told(server: Sshd) -> None:
    with server.connect() as connection:
        node = SshNode(connection, home=PurePosixPath("/none"), python="python3", run_as="no-such-user")

        with pytest.raises(NodeError, match="no-such-user"):
            node.run(["true"], timeout_s=10)


# Rotation


@contextmanager
def dying(step: str) -> Iterator[None]:
    """Let a step of the rotation fail, as if we had died there."""

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        if step == "after the keys are pinned":
            patch.setattr("launcher.nodes.ssh_rotation._PUT_IN_PLACE", "exit 1; ")
        patch.setattr(*{
            "after the key is made": ("launcher.nodes.ssh_keys.HostKeys.pin", fail),
            "after the keys are pinned": ("launcher.nodes.ssh_rotation.NodeError", fail),
            "after the restart": ("launcher.nodes.ssh_connection.Connection.close", fail),
        }[step])  # fmt: skip
        yield


def rotate(server: Sshd, connection: object) -> str:
    pid = server.process.pid
    return rotate_host_key(
        connection,  # type: ignore[arg-type]
        server.known,
        key=str(server.folder / "host"),
        restart=f"kill -HUP {pid}; sleep 0.3",
    )


@pytest.mark.root
def test_a_rotated_host_key_is_the_only_one_that_is_known_afterwards(server: Sshd) -> None:
    (server.folder / "host.pub").write_text("old\n")
    with server.connect() as connection:
        old = connection.server_key

        line = rotate(server, connection)

        assert connection.server_key.line == line != old.line
        assert [key.line for key in server.known.pinned()] == [line]
        assert (server.folder / "host.pub").read_text().strip() == line


CRASHES = ["after the key is made", "after the keys are pinned", "after the restart"]


@pytest.mark.root
@pytest.mark.parametrize("step", CRASHES)
def test_a_rotation_that_dies_half_way_locks_nobody_out_and_can_be_done_again(
    server: Sshd, step: str
) -> None:
    with server.connect() as connection:
        with dying(step), pytest.raises(KeyboardInterrupt):
            rotate(server, connection)
        connection.close()

        line = rotate(server, connection)

        assert connection.server_key.line == line
        assert [key.line for key in server.known.pinned()] == [line]


@pytest.mark.root
def test_a_rotation_whose_end_was_not_heard_is_gone_on_with(server: Sshd) -> None:
    told: list[str] = []
    restart = f"kill -HUP {server.process.pid}; sleep 0.3"
    with server.connect(tell=told.append) as connection:
        _, _, script = hang_up_once(server, restart)

        line = rotate_host_key(connection, server.known, key=str(server.folder / "host"), restart=script)

        assert connection.server_key.line == line
        assert [key.line for key in server.known.pinned()] == [line]
    assert len(told) == 1


@pytest.mark.root
def test_a_server_that_keeps_its_old_key_is_not_trusted_and_both_stay_pinned(
    server: Sshd, tmp_path: Path
) -> None:
    old = shutil.copy(server.folder / "host", tmp_path / "old")
    key = server.folder / "host"
    with server.connect() as connection:
        with pytest.raises(HostKeyError, match="still shows its old host key"):
            rotate_host_key(connection, server.known, key=str(key), restart=f"cp '{old}' \"$1\"")

        assert len(server.known.pinned()) == 2


@pytest.mark.root
def test_a_key_that_cannot_be_made_changes_nothing(server: Sshd) -> None:
    before = server.known.pinned()
    with server.connect() as connection, pytest.raises(NodeError, match="could not be changed"):
        rotate_host_key(connection, server.known, key=str(server.folder / "missing" / "host"), restart="true")

    assert server.known.pinned() == before
