"""This computer as a node. A batch runs in place, so sending and fetching within one home move nothing."""

from __future__ import annotations

import filecmp
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import NodeError
from launcher.nodes.node import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath


class LocalNode:
    """This computer.

    Args:
        home: the folder `.launcher`.
        python: the interpreter for runner and jobs.
    """

    def __init__(self, home: Path, *, python: str = sys.executable) -> None:
        self.home = home
        self.python = python

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Run a program to its end."""
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
            )
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

    def send(self, folder: Path, *, to: PurePath) -> None:
        """Copy what is new, unless the folder lies there already."""
        _copy_new(folder, Path(to))

    def fetch(self, folder: PurePath, *, to: Path) -> None:
        """Copy what is new, unless the folder lies there already."""
        _copy_new(Path(folder), to)


def _copy_new(source: Path, target: Path) -> None:
    if source == target:
        return
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir() and not path.is_symlink():
            copy.mkdir(parents=True, exist_ok=True)
        elif not _is_equal(path, copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Others may be reading the old file: they keep it whole.
            shutil.copy2(path, new := copy.with_name(f"{copy.name}.{os.getpid()}"), follow_symlinks=False)
            new.replace(copy)


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
