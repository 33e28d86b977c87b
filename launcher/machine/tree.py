"""What a folder holds, as both ends of a transfer speak of it. Reads names and facts, never contents.

Sockets, pipes and devices are passed over: they hold nothing that could be copied.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE, FOLDER, LINK = "f", "d", "l"
_PERMISSIONS = 0o777


class Row(NamedTuple):
    """One file, folder or link: its path with forward slashes, bytes that are no text as surrogates."""

    path: str
    kind: str
    mode: int
    size: int
    changed_ns: int
    target: str


class Found(NamedTuple):
    """A row, and by what the same file is recognised later."""

    row: Row
    mark: tuple[int, int]


def walk(root: str, exclude: Sequence[str] = ()) -> Iterator[Found]:
    """Yield what is below `root`; a folder stands before what it holds.

    Args:
        exclude: paths that are left out with all below; `*` stands for any part of one name.

    Raises:
        OSError: `root` is not there.
    """
    left_out = compile_patterns(exclude)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in _scan(root, folder):
            path = f"{folder}{entry.name}"
            if left_out and left_out.fullmatch(path):
                continue
            found = _look(entry, path)
            if found is not None:
                yield found
                if found.row.kind == FOLDER:
                    waiting.append(f"{path}/")


def compile_patterns(patterns: Sequence[str]) -> re.Pattern[str] | None:
    """Return one expression for all patterns, None where there are none."""
    words = (re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns)
    return re.compile("|".join(words), re.DOTALL) if patterns else None


def _scan(root: str, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(os.path.join(root, folder)) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        if not folder:
            raise
        return []  # it went away, or is closed to us


def _look(entry: os.DirEntry[str], path: str) -> Found | None:
    try:
        facts = entry.stat(follow_symlinks=False)
        target = os.readlink(entry.path) if stat.S_ISLNK(facts.st_mode) else ""
    except OSError:
        return None
    kind = _kind(facts.st_mode)
    if kind is None:
        return None
    is_file = kind == FILE
    # Of a folder nothing but its being there is of interest, so that a new file in it does not change it.
    row = Row(
        path,
        kind,
        facts.st_mode & _PERMISSIONS,
        facts.st_size if is_file else 0,
        facts.st_mtime_ns if is_file else 0,
        target,
    )
    return Found(row, (facts.st_ino, facts.st_ctime_ns if is_file else 0))


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return FILE
    if stat.S_ISDIR(mode):
        return FOLDER
    return LINK if stat.S_ISLNK(mode) else None
