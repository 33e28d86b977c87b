"""Write files that several processes of a run share: one writer at a time, replaced whole or not at all."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if sys.platform != "win32":  # where the writers of a run go unlocked
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP_S = 0.002
_TRIES = 5000


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Be the only writer in a folder, among processes and threads.

    After ten seconds it goes on without the lock: whoever holds it is stopped, and no run may hang for that.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        _unlock(descriptor)
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    with suppress(OSError):  # a file system without locks
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(_STEP_S)


def _unlock(descriptor: int) -> None:
    # A fork in another thread has copied the descriptor: only LOCK_UN gives the lock back for all copies.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def replace_file(path: str, content: bytes) -> None:
    """Put `content` at `path`; a reader sees the old file or the new one."""
    fresh = f"{path}.new"
    try:
        with open(fresh, "wb") as file:
            file.write(content)
        os.replace(fresh, path)
    except OSError:
        with suppress(OSError):  # half a file takes the room of the other files
            os.unlink(fresh)
        raise


def append(path: str, content: bytes) -> os.stat_result:
    """Append `content` in one write, whole or not at all; returns what the file is now."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    try:
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, content) != len(content):
            os.ftruncate(descriptor, before)
            raise OSError(f"no room to write {os.path.basename(path)}")
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
