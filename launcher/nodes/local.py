"""This computer as a node. A batch runs in place, so sending and fetching within one home move nothing."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import NodeError
from launcher.machine.tree import FOLDER, walk
from launcher.nodes.node import Completed, Moved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import PurePath

    from launcher.machine.tree import Row


class LocalNode:
    """This computer.

    Args:
        home: the folder `.launcher`.
        python: the interpreter for runner and jobs.
    """

    def __init__(self, home: Path, *, python: str = sys.executable) -> None:
        self.home = home
        self.python = python

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout_s, check=False)
        except OSError as error:
            raise NodeError(
                f"{argv[0]} could not be started: {error.strerror}.", "Is it installed, and on PATH?"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise NodeError(f"{argv[0]} did not end within {timeout_s:g} s.", "Try again.") from error
        return Completed(done.returncode, done.stdout, done.stderr)

    def start(self, argv: Sequence[str], *, log: PurePath) -> None:
        """Start a program that outlives us."""
        try:
            with open(log, "ab") as streams:  # noqa: PTH123 - a node's paths are pure
                subprocess.Popen(
                    ["nohup", *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=streams,
                    stderr=streams,
                    start_new_session=True,
                ).returncode = 0  # nobody waits for it
        except OSError as error:
            raise NodeError(
                f"The runner could not be started: {error}.", "Free some room, then resume."
            ) from error

    def send(
        self,
        folder: Path,
        *,
        to: PurePath,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Moved:
        """Copy what is new, unless the folder lies there already."""
        return _copy_new(folder, Path(to), exclude, tell)

    def fetch(
        self,
        folder: PurePath,
        *,
        to: Path,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
        anew: bool = False,  # noqa: ARG002 - everything is looked at each time
    ) -> Moved:
        """Copy what is new, unless the folder lies there already."""
        return _copy_new(Path(folder), to, exclude, tell)


def _copy_new(
    source: Path, target: Path, exclude: Sequence[str], tell: Callable[[int, int], None] | None
) -> Moved:
    if source == target:
        return Moved(node_time=time.time())
    moved: list[Row] = []
    for row in (found.row for found in walk(str(source), exclude)):
        path, copy = source / row.path, target / row.path
        if row.kind == FOLDER:
            copy.mkdir(parents=True, exist_ok=True)
        elif not _is_equal(path, copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Others may be reading the old file: they keep it whole.
            shutil.copy2(path, new := copy.with_name(f"{copy.name}.{os.getpid()}"), follow_symlinks=False)
            new.replace(copy)
            moved.append(row)
            if tell:
                tell(sum(each.size for each in moved), sum(each.size for each in moved))
    return Moved(tuple(row.path for row in moved), sum(row.size for row in moved), node_time=time.time())


def _is_equal(path: Path, copy: Path) -> bool:
    try:
        mode, other_mode = path.lstat().st_mode, copy.lstat().st_mode
    except FileNotFoundError:
        return False
    if mode != other_mode:
        return False
    if stat.S_ISLNK(mode):
        return path.readlink() == copy.readlink()
    return filecmp.cmp(path, copy, shallow=False)
