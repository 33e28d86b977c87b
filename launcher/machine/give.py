"""Send the contents of files: whole, or from where the other end has them already. Both ends use it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING, Any

from launcher.machine.wire import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from launcher.machine.wire import Wire

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_MOST_REMEMBERED = 20_000
_LONG_BYTES = 4 << 20
# Files are stamped by a clock of some milliseconds: one written twice within its tick looks unchanged.
_TICK_NS = 50_000_000


class Giver:
    """Send files of a folder.

    It remembers how far it has hashed a file, so that a log which grows is not read from its start each time.

    Args:
        clock_ns: the time, as files are stamped.
        count: takes how many bytes have been given since the last call.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._wire, self._clock_ns, self._count = wire, clock_ns, count
        self._known: dict[str, tuple[int, int, Any]] = {}

    def give(self, root: str, wanted: Iterable[tuple[int, str, int, str]]) -> None:
        """Send files: for each, messages that carry its bytes, the last with its hash.

        Args:
            wanted: number, path, and how many of its first bytes are there already, with their sha256.
        """
        for number, path, start, digest in wanted:
            try:
                descriptor = os.open(os.path.join(root, path), _FLAGS)
            except OSError as error:
                self._wire.put({"file": number, "gone": error.strerror})
                continue
            try:
                self._give(descriptor, number, path=path, start=start, digest=digest)
            finally:
                os.close(descriptor)

    def _give(self, descriptor: int, number: int, *, path: str, start: int, digest: str) -> None:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            self._wire.put({"file": number, "gone": "no file any more"})
            return
        engine = self._hash_start(descriptor, (path, facts.st_ino), start=start, digest=digest)
        if engine is None:
            start, engine = 0, hashlib.sha256()
        said: dict[str, Any] = {"file": number, "from": start}
        size, end = start, max(start, facts.st_size)  # what is written from now on is for the next time
        while True:
            chunk = _read_at(descriptor, min(CHUNK_BYTES, end - size), size)
            engine.update(chunk)
            size += len(chunk)
            if size == end or not chunk:
                break
            self._wire.put(said, chunk)
            self._count(len(chunk))
            said = {}
        self._remember(path, facts.st_ino, size, engine)
        last = {"sha256": engine.hexdigest(), "size": size, "changed_ns": self._stamp(descriptor)}
        self._wire.put({**said, **last}, chunk)
        self._count(len(chunk))

    def _hash_start(self, descriptor: int, file: tuple[str, int], *, start: int, digest: str) -> Any:
        """Return the hash so far where the first bytes are those that the other end has, else None."""
        inode, size, engine = self._known.get(file[0], (0, 0, None))
        # A file that replaces another may get the number of one before: only of a long log is that believed.
        if engine is None or start < _LONG_BYTES or (inode, size) != (file[1], start):
            engine = _hash_first(descriptor, start)
        return engine.copy() if engine is not None and engine.hexdigest() == digest else None

    def _remember(self, path: str, inode: int, size: int, engine: Any) -> None:
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known[path] = inode, size, engine.copy()

    def _stamp(self, descriptor: int) -> int:
        changed_ns = os.fstat(descriptor).st_mtime_ns
        return 0 if abs(self._clock_ns() - changed_ns) < _TICK_NS else changed_ns


def _hash_first(descriptor: int, size: int) -> Any:
    engine, done = hashlib.sha256(), 0
    while done < size:
        chunk = _read_at(descriptor, min(CHUNK_BYTES, size - done), done)
        if not chunk:
            return None
        engine.update(chunk)
        done += len(chunk)
    return engine


def _read_at(descriptor: int, size: int, offset: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)  # os.pread is not on Windows
    return os.read(descriptor, size)
