"""A computer that one can log in to, as a target: nothing is rented, nothing is released.

What the user's own ssh would know of it counts: ~/.ssh/config, known_hosts, keys and agent. A host that is
not known is refused; nothing is ever added to known_hosts.
"""

from __future__ import annotations

import getpass
import json
import re
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from launcher.errors import NodeError, UsageError
from launcher.nodes.ssh import SshNode, open_peer
from launcher.nodes.ssh_address import Address
from launcher.plan.values import Fleet
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.nodes.node import Node
    from launcher.nodes.ssh_connection import Connection
    from launcher.plan.values import MachineNeeds, Offer

_PREFIX = "ssh:"
_WORD = re.compile(
    r"ssh:(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^@:\s]+))(?::(?P<port>\d+))?"
)
_TIMEOUT_S = 20.0
_QUERY_S = 60.0
_PYTHON = "python3"
_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_LARGEST_PORT = 65535
_INTERPRETER = """
import hashlib, sys
from pathlib import Path
found = {p.name for f in sys.path if Path(f).is_dir() for p in Path(f).glob("*.dist-info")}
print(hashlib.sha256("\\n".join([sys.version, sys.platform, *sorted(found)]).encode()).hexdigest())
"""


class SshTarget:
    """A computer by its SSH server.

    Args:
        on: the word after `--on`: ssh:[user@]host[:port].
    """

    stack = None

    def __init__(self, on: str) -> None:
        self.name = on
        find_address(on, {})  # a word that is none is told before anything is done

    def fleet(self, needs: MachineNeeds) -> Fleet:  # noqa: ARG002 - it is what it is
        """Return its GPUs and what its interpreter has installed."""
        with open_ssh_node(self.name) as node:
            return Fleet(gpus=_count_gpus(node), interpreter_hash=_hash_interpreter(node))

    @contextmanager
    def acquire(self, batch: Path, *, offers: Sequence[Offer]) -> Iterator[Node]:  # noqa: ARG002 - nothing is rented
        """Give that computer."""
        with open_ssh_node(self.name) as node:
            place = {"on": self.name, "home": str(node.home), "python": node.python}
            (batch / names.PLACE).write_text(json.dumps(place), "ascii")
            yield node

    def check(self, node: Node, batch: Path) -> None:
        """Find everything in order: what that computer lacks was said by the plan."""


@contextmanager
def open_ssh_node(on: str, *, home: str | None = None, python: str | None = None) -> Iterator[SshNode]:
    """Connect to a computer as the user's own ssh would.

    Args:
        home: its folder `.launcher`, by default in the home folder of who logs in.
        python: its interpreter, by default `python3`.

    Raises:
        NodeError: it cannot be reached, or has no Python that serves.
    """
    with _connect(on) as connection:
        peer = open_peer(connection, python=python or _PYTHON)
        about = peer.about
        yield SshNode(
            connection,
            home=PurePosixPath(home or f"{about['home']}/.launcher"),
            python=python or about["python"],
            peer=peer,
        )


def find_address(on: str, config: dict[str, Any]) -> Address:
    """Return where a word like ssh:me@host:22 leads.

    Args:
        config: what ~/.ssh/config says of the host.

    Raises:
        UsageError: it is no such word.
    """
    match = _WORD.fullmatch(on)
    port = int((match and match["port"]) or config.get("port", 22))
    if match is None or not 0 < port <= _LARGEST_PORT:
        raise UsageError(f"{on!r} names no computer.", "Write --on ssh:user@host, or ssh:user@host:port.")
    host = match["v6"] or config.get("hostname", match["host"])
    return Address(str(host), port, match["user"] or config.get("user") or getpass.getuser())


def _connect(on: str) -> Connection:
    from launcher.nodes.ssh_connection import connect  # noqa: PLC0415 - paramiko is 100 ms that others need not pay
    from launcher.nodes.ssh_keys import UserHostKeys  # noqa: PLC0415

    folder = Path.home() / ".ssh"
    config = _read_config(folder / "config", on)
    return connect(
        find_address(on, config),
        key=None,
        known=UserHostKeys(_known_hosts(folder, config)),
        timeout_s=_TIMEOUT_S,
        sleep=time.sleep,
        clock=time.monotonic,
        own_keys=[Path(name).expanduser() for name in config.get("identityfile", ())]
        or [folder / name for name in _KEYS],
    )


def _known_hosts(folder: Path, config: dict[str, Any]) -> Sequence[Path]:
    own = str(config.get("userknownhostsfile", "")).split()
    files = [Path(name).expanduser() for name in own] or [folder / "known_hosts", folder / "known_hosts2"]
    return [*files, Path("/etc/ssh/ssh_known_hosts")]


def _read_config(path: Path, on: str) -> dict[str, Any]:
    import paramiko  # noqa: PLC0415

    match = _WORD.fullmatch(on)
    if match is None or not path.is_file():
        return {}
    try:
        found = dict(paramiko.SSHConfig.from_path(str(path)).lookup(match["v6"] or match["host"]))
    except (paramiko.ConfigParseError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it.") from error
    for way in ("proxyjump", "proxycommand"):
        if found.get(way, "none").lower() != "none":
            raise UsageError(
                f"{path} reaches {match['host']} by {way}, which launcher does not follow.",
                "Name an address that can be reached directly, a forwarded port for example.",
            )
    return found


def _count_gpus(node: Node) -> int:
    try:
        done = node.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], timeout_s=_QUERY_S)
    except NodeError:  # there is no such program
        return 0
    return 0 if done.exit_code else len(done.stdout.split())


def _hash_interpreter(node: Node) -> str:
    done = node.run([node.python, "-c", _INTERPRETER], timeout_s=_QUERY_S)
    return done.stdout.decode("ascii", "replace").strip()
