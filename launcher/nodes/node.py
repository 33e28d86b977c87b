"""What every place must be able to do. Two implementations: this computer, and one reached by SSH."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path, PurePath


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended: exit code and what it wrote."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Node(Protocol):
    """A place with a shell and files."""

    @property
    def home(self) -> PurePath:
        """The folder `.launcher` of this place."""

    @property
    def python(self) -> str:
        """The interpreter that the runner starts with, and jobs that name no environment."""

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Run a program to its end.

        Raises:
            NodeError: it could not be started, or took longer than `timeout_s` seconds.
        """

    def start(self, argv: Sequence[str], *, log: PurePath) -> None:
        """Start a program that outlives us: under nohup, in a session of its own, both streams into `log`."""

    def send(self, folder: Path, *, to: PurePath) -> None:
        """Bring a folder's files to the place; what is there and equal stays."""

    def fetch(self, folder: PurePath, *, to: Path) -> None:
        """Bring a folder's files home; what is there and equal stays."""
