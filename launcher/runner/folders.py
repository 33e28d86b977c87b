"""Folders as runs leave them: tell what changed in them, remove them whatever they hold. Follows no link."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import time
from typing import NamedTuple

from launcher.runner.disk import unlink

_BYTE_CODE = "__pycache__"
_CLOCK_REALTIME_COARSE = 5  # the clock by which Linux stamps files; Python has no name for it


class Mark(NamedTuple):
    """By what a file or folder is recognised as unchanged."""

    inode: int
    mode: int
    size: int
    changed_ns: int
    status_ns: int


Marks = dict[str, Mark]


def marks_below(folder: str) -> Marks:
    """Return the marks of all that is in a folder by path, caches of byte code left out."""
    if os.path.islink(folder):  # the run put it there: what it leads to is not ours
        return {}
    return {path: mark_of(entry.stat(follow_symlinks=False)) for path, entry in walk(folder)}


def mark_of(status: os.stat_result) -> Mark:
    """Return by what a file with this status is recognised."""
    return Mark(status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def walk(folder: str) -> list[tuple[str, os.DirEntry[str]]]:
    """Return all that is in a folder by its path there, caches of byte code left out."""
    found: list[tuple[str, os.DirEntry[str]]] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        for entry in _scan(f"{folder}/{prefix}"):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{prefix}{entry.name}/")
            if not _is_byte_code(prefix, entry.name):
                found.append((prefix + entry.name, entry))
    return found


def file_time_ns() -> int:
    """Return the time by the clock that stamps files."""
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE) if sys.platform == "linux" else time.time_ns()


def remove_tree(path: str) -> None:
    """Remove a folder with all that is in it, or what a run put in its place; links are never followed."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:  # a folder
        with contextlib.suppress(RecursionError):
            shutil.rmtree(path, ignore_errors=True)
    if os.path.isdir(path) and not os.path.islink(path):
        _remove_stubborn(path)


def _is_byte_code(prefix: str, name: str) -> bool:
    return name == _BYTE_CODE or (".pyc" in name and prefix.endswith(f"{_BYTE_CODE}/"))


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):  # the run forbade it to itself, and to us
            os.chmod(folder, stat.S_IRWXU)
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # the run removed it
        return []


def _remove_stubborn(path: str) -> None:
    """Remove a folder that is forbidden to ourselves, or nested deeper than Python can follow."""
    folders = [path]
    for folder in folders:  # grows on the way
        for entry in _scan(folder):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                unlink(entry.path)
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
