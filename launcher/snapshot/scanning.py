"""Look at a job folder and say what a batch takes of it. Reads only; follows no link; each file is read once.

Never taken, whatever the ignore files say: version control (.git .hg .svn), launcher's own home (.launcher),
what programs make anew (__pycache__ .ipynb_checkpoints .pytest_cache .mypy_cache .ruff_cache .hypothesis
.DS_Store), virtual environments (.venv, any folder with a pyvenv.cfg), and what is no file: sockets, pipes,
devices.
"""
# ruff: noqa: PTH118 - names are bytes here, and pathlib knows only text

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import UsageError
from launcher.snapshot.ignore import Ignores, find_ignores
from launcher.snapshot.links import read_link
from launcher.snapshot.show import show
from launcher.snapshot.tree import Entry, LeftOut, Tree

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

NEVER_TAKEN = frozenset(
    {
        b".git",
        b".hg",
        b".svn",
        b".launcher",
        b"__pycache__",
        b".venv",
        b".ipynb_checkpoints",
        b".pytest_cache",
        b".mypy_cache",
        b".ruff_cache",
        b".hypothesis",
        b".DS_Store",
    }
)
PERMISSIONS = 0o777
CHUNK_BYTES = 1024 * 1024
_ATTEMPTS = 3
_ODD_KINDS = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class _ChangedError(Exception):
    """The file was written to while it was read."""


class _Folder(NamedTuple):
    path: bytes
    ignores: Ignores


def scan(folder: Path) -> Tree:
    """Return what a batch takes of `folder`.

    Raises:
        UsageError: a link leaves the folder, something cannot be read or keeps changing, or nothing is left.
    """
    root = os.path.realpath(os.fsencode(folder))
    try:
        tree = _Scan(root).run()
    except OSError as error:
        name = show(error.filename) if error.filename else show(root)
        raise UsageError(
            f"{name} cannot be read: {error.strerror}.", "Mend that, or name it in .launcherignore."
        ) from error
    if not tree.entries:
        raise UsageError(
            f"{show(root)} holds nothing that a run could use. {_why_nothing(tree)}",
            "Look at its ignore files.",
        )
    return tree


class _Scan:
    """One walk through a folder, with a list of folders still to visit: a deep tree needs no deep stack."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._entries: list[Entry] = []
        self._left_out: list[LeftOut] = []

    def run(self) -> Tree:
        ignores, self._base = find_ignores(self._root)
        ahead = [_Folder(b"", ignores)]
        while ahead:
            ahead.extend(self._visit(ahead.pop()))
        return Tree(
            tuple(sorted(self._entries, key=_path_bytes)), tuple(sorted(self._left_out, key=_path_bytes))
        )

    def _visit(self, folder: _Folder) -> list[_Folder]:
        """Take what one folder holds; return the folders in it."""
        inner = []
        with os.scandir(os.path.join(self._root, folder.path)) as found:
            for item in found:
                path = folder.path + b"/" + item.name if folder.path else item.name
                reason = self._reason(path, item, folder.ignores)
                if reason is not None:
                    self._left_out.append(LeftOut(os.fsdecode(path), reason))
                    continue
                self._entries.append(self._entry(path, item))
                if item.is_dir(follow_symlinks=False):
                    inner.append(
                        _Folder(path, folder.ignores.enter(item.path, base=self._base + path + b"/"))
                    )
        return inner

    def _reason(self, path: bytes, item: os.DirEntry[bytes], ignores: Ignores) -> str | None:
        if item.name in NEVER_TAKEN:
            return "never taken"
        is_folder = item.is_dir(follow_symlinks=False)
        if is_folder and os.path.lexists(os.path.join(item.path, b"pyvenv.cfg")):
            return "a virtual environment"
        ignored = ignores.reason(self._base + path, is_folder=is_folder)
        if ignored or is_folder or item.is_symlink() or item.is_file(follow_symlinks=False):
            return ignored
        return _odd_kind(item.stat(follow_symlinks=False).st_mode)

    def _entry(self, path: bytes, item: os.DirEntry[bytes]) -> Entry:
        name = os.fsdecode(path)
        if item.is_symlink():
            return Entry(name, "link", PERMISSIONS, target=read_link(self._root, path))
        if item.is_dir(follow_symlinks=False):
            return Entry(name, "dir", item.stat(follow_symlinks=False).st_mode & PERMISSIONS)
        return _read_file(item.path, name)


def _path_bytes(found: Entry | LeftOut) -> bytes:
    return os.fsencode(found.path)


def _read_file(path: bytes, name: str) -> Entry:
    """Hash a file that holds still while it is read."""
    for _ in range(_ATTEMPTS):
        try:
            return _read_once(path, name)
        except _ChangedError:
            continue
    raise UsageError(
        f"{show(path)} keeps changing while it is read.",
        "End what writes to it, or name it in .launcherignore.",
    )


def _read_once(path: bytes, name: str) -> Entry:
    with open_source(path) as file:
        before = os.fstat(file.fileno())
        digest, size = hashlib.sha256(), 0
        while size <= before.st_size and (chunk := file.read(min(CHUNK_BYTES, before.st_size - size + 1))):
            digest.update(chunk)
            size += len(chunk)
        after = os.fstat(file.fileno())
    if not size == before.st_size == after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise _ChangedError
    return Entry(name, "file", before.st_mode & PERMISSIONS, size, digest.hexdigest())


def open_source(path: bytes | Path) -> FileIO:
    """Open a file for reading; one that became a link or a pipe meanwhile is not followed, nor waited for."""
    flags = (getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"))
    return os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb", buffering=0)


def _odd_kind(mode: int) -> str:
    return next((words for is_kind, words in _ODD_KINDS if is_kind(mode)), "not a file")


def _why_nothing(tree: Tree) -> str:
    if not tree.left_out:
        return "It is empty."
    first = tree.left_out[0]
    return f"{len(tree.left_out)} left out, the first is {show(first.path)} ({first.reason})."
