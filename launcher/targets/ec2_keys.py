"""The keys of a rented machine, in `.launcher/keys`: how we log in, and how it proves who it is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from launcher.nodes.ssh_keys import HostKeys, make_key, parse_public_key

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "keys"


class MachineKeys(NamedTuple):
    """What is known of one machine's keys before it exists.

    Attributes:
        login: the public key that may log in.
        host_private, host_public: the pair that it is born with; the first connection replaces it.
    """

    login: str
    host_private: str
    host_public: str


def make_machine_keys(home: Path, name: str) -> MachineKeys:
    """Make the keys of a machine and pin its host key; those that are there already stay."""
    born_with = first_host_key(home, name)
    login = make_key(login_key(home, name))
    public = make_key(born_with)
    known = host_keys(home, name)
    if not known.pinned():
        known.pin([public])
    return MachineKeys(login, born_with.read_text("ascii"), parse_public_key(public).line)


def login_key(home: Path, name: str) -> Path:
    """Return the file of the private key with which we log in."""
    return home / FOLDER / f"{name}.key"


def host_keys(home: Path, name: str) -> HostKeys:
    """Return the pinned host keys of a machine."""
    return HostKeys(home / FOLDER / f"{name}.known_hosts")


def first_host_key(home: Path, name: str) -> Path:
    """Return the file of the private host key that a machine is born with, there until it has another one."""
    return home / FOLDER / f"{name}.host"


def forget_first_host_key(home: Path, name: str) -> None:
    """Remove the private host key that a machine was born with: it has another one by now."""
    first_host_key(home, name).unlink(missing_ok=True)


def remove_keys(home: Path, name: str) -> None:
    """Remove all keys of a machine that is gone."""
    for path in (home / FOLDER).glob(f"{name}.*"):
        with suppress(OSError):
            path.unlink()
