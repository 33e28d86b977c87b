"""What every place must be able to do. Two implementations: this computer, and one reached by SSH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path, PurePath


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended: exit code and what it wrote."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transfer brought.

    Attributes:
        paths: files that are new or changed there now, in the order in which they came.
        size_bytes: how many bytes had to travel for them.
        beside: files that were changed at home, and so stand beside what came from the node.
        node_time: the time by the node's clock when it was looked at, seconds since 1970.
    """

    paths: tuple[str, ...] = ()
    size_bytes: int = 0
    beside: tuple[str, ...] = ()
    node_time: float = 0.0


class Node(Protocol):
    """A place with a shell and files."""

    @property
    def home(self) -> PurePath:
        """The folder `.launcher` of this place."""

    @property
    def python(self) -> str:
        """The interpreter that the runner starts with, and jobs that name no environment."""

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run a program to its end.

        Raises:
            NodeError: it could not be started, or took longer than `timeout_s` seconds.
        """

    def start(self, argv: Sequence[str], *, log: PurePath) -> None:
        """Start a program that outlives us: under nohup, in a session of its own, both streams into `log`."""

    def send(
        self,
        folder: Path,
        *,
        to: PurePath,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Moved:
        """Bring a folder's files to the place; what is there and equal stays.

        Args:
            exclude: paths that are left out with all below; `*` stands for any part of one name.
            tell: takes how many bytes have travelled, and how many will.
        """

    def fetch(
        self,
        folder: PurePath,
        *,
        to: Path,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
        anew: bool = False,
    ) -> Moved:
        """Bring a folder's files home; what is there and equal stays.

        A file that was changed at home since it was fetched is kept; what comes stands beside it as
        NAME.remote-<8 hex>.

        Args:
            anew: look also at what has not changed there since it was last looked at.

        Raises:
            RefusedError: all has come but what may not come.
        """
