"""A run's log: both streams in the order they came, never larger than its limit, head and tail kept."""

from __future__ import annotations

import os
import re

from launcher.runner import names
from launcher.runner.disk import unlink, write_all

_CHUNK_BYTES = 1024 * 1024
_GAP = re.compile(rb"\n\[launcher: (\d+) bytes left out here;")


class CappedLog:
    """Append bytes to a file; past the limit the middle goes and a line says how much.

    The file is always readable. A quarter of the limit is kept from the beginning; when the limit is
    reached the last quarter stays, so that each byte is copied at most once more.

    Args:
        path: the log; an existing one is continued.
        limit: the most bytes that the file may hold.
    """

    def __init__(self, path: str, *, limit: int = names.LOG_LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._keep = limit // 4
        self._descriptor = _open(path)
        self.size = os.lseek(self._descriptor, 0, os.SEEK_END)
        self._left_out = self._read_left_out() if self.size > self._keep else 0

    def write(self, content: bytes) -> None:
        """Append. Raises OSError on a full disk; what still fitted stays."""
        try:
            write_all(self._descriptor, content)
        finally:
            self.size = os.lseek(self._descriptor, 0, os.SEEK_END)
        if self.size > self._limit:
            self._drop_middle()

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        os.close(self._descriptor)

    def _drop_middle(self) -> None:
        new = self._path + ".new"
        tail_at = self.size - self._keep
        start = self._gap_end() if self._left_out else self._keep
        left_out = self._left_out + tail_at - start
        target = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        try:
            _copy(self._descriptor, target, 0, self._keep)
            write_all(target, self._gap_line(left_out))
            _copy(self._descriptor, target, tail_at, self.size)
            os.replace(new, self._path)
        except OSError:
            os.close(target)
            unlink(new)
            raise
        os.close(self._descriptor)
        self._descriptor, self._left_out = target, left_out
        self.size = os.fstat(target).st_size

    def _gap_line(self, left_out: int) -> bytes:
        limit = f"{self._limit // 2**20}MB" if self._limit >= 2**20 else f"{self._limit}B"
        return b"\n" + names.LOG_GAP.format(left_out=left_out, limit=limit).encode() + b"\n"

    def _gap_end(self) -> int:
        return self._keep + len(self._gap_line(self._left_out))

    def _read_left_out(self) -> int:
        found = _GAP.match(os.pread(self._descriptor, 100, self._keep))
        return int(found[1]) if found else 0


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)


def _copy(source: int, target: int, begin: int, end: int) -> None:
    while begin < end:
        chunk = os.pread(source, min(_CHUNK_BYTES, end - begin), begin)
        write_all(target, chunk)
        begin += len(chunk)
