"""Files that callbacks write while a fit runs: kept with its checkpoints, and put where they were.

A resumed script runs from its first line in a fresh copy of its code and writes its own files again; what
the callbacks of a fit wrote in epochs that are not trained again it would miss. Each version of a file is
stored once, however many checkpoints refer to it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from .launcher_checkpoint_file import sync

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_LEFT_OUT = "__pycache__"


class Kept(NamedTuple):
    """A file of a fit: below which root it lies, where, and which stored content it had."""

    root: str
    path: str
    key: str


Marks = dict[tuple[str, str], tuple[int, int, int]]


class FileKeeper:
    """Store what changes below some folders.

    Args:
        store: where contents are kept.
        roots: folders to look at, by the name that checkpoints have for them.
    """

    def __init__(self, store: str, *, roots: Mapping[str, str]) -> None:
        self._store, self._roots = store, roots

    def look(self) -> Marks:
        """Return by what each file is recognised as unchanged."""
        return {(root, path): mark for root, folder in self._roots.items() for path, mark in _marks(folder)}

    def keep(self, fit: int, before: Marks) -> list[Kept]:
        """Store each file that is new or changed since `before`; on disk when the call returns.

        Raises:
            OSError: there is no room.
        """
        kept = []
        for (root, path), mark in self.look().items():
            if before.get((root, path)) != mark:
                text = repr((root, path, mark)).encode("utf-8", "surrogateescape")
                key = f"{fit:04d}-{hashlib.sha256(text).hexdigest()}"
                self._keep(os.path.join(self._roots[root], path), key)
                kept.append(Kept(root, path, key))
        return kept

    def put_back(self, kept: Sequence[Kept]) -> None:
        """Write files as they were, whatever is there now."""
        for root, path, key in kept:
            target = os.path.join(self._roots[root], path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(os.path.join(self._store, key), target)

    def has(self, kept: Sequence[Kept]) -> bool:
        """Tell whether all of these contents are there."""
        return all(os.path.isfile(os.path.join(self._store, each.key)) for each in kept)

    def forget_all_but(self, fit: int, keys: Collection[str]) -> None:
        """Remove the contents of a fit that none of its checkpoints refers to."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._store):
                if name.startswith(f"{fit:04d}-") and name not in keys:
                    os.unlink(os.path.join(self._store, name))

    def _keep(self, source: str, key: str) -> None:
        target = os.path.join(self._store, key)
        if os.path.exists(target):
            return
        os.makedirs(self._store, exist_ok=True)
        try:
            shutil.copy2(source, f"{target}.new")
            sync(f"{target}.new")
            os.replace(f"{target}.new", target)
        except OSError:
            with suppress(OSError):
                os.unlink(f"{target}.new")
            raise
        sync(self._store)


def _marks(folder: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != _LEFT_OUT]
        for name in files:
            path = os.path.join(parent, name)
            with suppress(OSError):  # gone meanwhile
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    mark = (status.st_ino, status.st_size, status.st_mtime_ns)
                    yield os.path.relpath(path, folder), mark
