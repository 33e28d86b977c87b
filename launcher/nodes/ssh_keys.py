"""SSH keys: login keys that are made here, and host keys that are known. Knows no network, and never asks.

A host key is known because it was made here, or because the user's own known_hosts has it; nothing else
adds one.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from launcher.errors import HostKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from launcher.nodes.ssh_address import Address

_FIELDS = 3


class PublicKey(NamedTuple):
    """A public key: its kind, `ssh-ed25519` for example, and its bytes."""

    kind: str
    blob: bytes

    @property
    def line(self) -> str:
        """The key as it stands in a file."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


class KnownKeys(Protocol):
    """The keys by which a server may prove who it is."""

    def keys_of(self, address: Address) -> tuple[PublicKey, ...]:
        """Return the keys that are known of a server; none means that it is a stranger."""


class HostKeys:
    """The pinned keys of one machine, whatever its address; several while they are changed.

    Args:
        path: a file as `ssh -o UserKnownHostsFile` reads it, under the machine's name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def keys_of(self, address: Address) -> tuple[PublicKey, ...]:  # noqa: ARG002 - the machine has this file
        """Return all pinned keys."""
        return self.pinned()

    def pinned(self) -> tuple[PublicKey, ...]:
        """Return all pinned keys."""
        try:
            lines = self.path.read_text("ascii").splitlines()
        except FileNotFoundError:
            return ()
        return tuple(parse_public_key(line.partition(" ")[2]) for line in lines if line.strip())

    def pin(self, lines: Iterable[str]) -> None:
        """Pin these public keys and no others; on disk when the call returns."""
        name = self.path.name.removesuffix(".known_hosts")
        text = "".join(f"{name} {parse_public_key(line).line}\n" for line in lines)
        write_private(self.path, text.encode("ascii"))


class UserHostKeys:
    """What the user's own known_hosts files say, hashed names among them. They are read, never written."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def keys_of(self, address: Address) -> tuple[PublicKey, ...]:
        """Return the keys that stand there for a host."""
        import paramiko  # noqa: PLC0415 - 70 ms that only SSH need pay

        name = address.host if address.port == 22 else f"[{address.host}]:{address.port}"  # noqa: PLR2004
        found: list[PublicKey] = []
        for file in self._files:
            for line in _lines(file):
                entry = paramiko.hostkeys.HostKeyEntry.from_line(line)
                if entry and entry.key and any(_is_name(name, written) for written in entry.hostnames):
                    found.append(PublicKey(entry.key.get_name(), entry.key.asbytes()))
        return tuple(found)


def make_key(path: Path) -> str:
    """Make an ed25519 login key that only this user can read, or keep the one that is there.

    Returns:
        the public key, as it stands in authorized_keys.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 40 ms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    if path.exists():
        key = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    else:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write_private(path, private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode("ascii")


def parse_public_key(line: str) -> PublicKey:
    """Read a public key as it stands in a .pub file.

    Raises:
        HostKeyError: it is none.
    """
    kind, _, rest = line.strip().partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except ValueError:
        blob = b""
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise HostKeyError(f"This is no public key: {line!r:.100}.", "Try again.")
    return PublicKey(kind, blob)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, whole or not at all; on disk when the call returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _is_name(name: str, written: str) -> bool:
    """Tell whether a name is the one that is written, which may be hashed."""
    import paramiko  # noqa: PLC0415

    if written.startswith("|1|"):
        hashed: str = paramiko.HostKeys.hash_host(name, written)
        return hashed == written
    return written == name


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return []
    # A marked line (@revoked, @cert-authority) names no key that a server may simply show.
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#@"]
