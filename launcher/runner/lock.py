"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

try:
    import fcntl
except ImportError:  # the module is read, not used, where the client runs on Windows
    fcntl = None  # type: ignore[assignment]


_HAS_LOCKS = fcntl is not None
_TRIES = 10  # who only looks whether the lock is held, holds it for microseconds
_BETWEEN_S = 0.002


class Lock:
    """An exclusive lock on a file, held from `try_to_take` until `release` or the end of the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1

    def try_to_take(self) -> bool:
        """Take the lock where nobody holds it. Returns: whether it is ours now.

        Windows has no such locks: there whoever asks counts as alone, and nothing is opened.
        """
        if not _HAS_LOCKS:  # pragma: no cover
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(_TRIES):
            if _take(descriptor, fcntl.LOCK_EX):
                self._descriptor = descriptor
                return True
            time.sleep(_BETWEEN_S)
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Let go; without effect where it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lock:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(path: str) -> bool:
    """Tell whether some process holds the lock; leaves nothing behind."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
