"""Follow a log that grows, is replaced or is cut short. Reads only, and never waits: the caller asks again.

A log that passes its limit is replaced by its first quarter, a line that says how many bytes are left out,
and its tail. The reader counts in bytes of the whole stream, and so goes on where it was.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from launcher.results.files import FLAGS
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 1 << 20
MEMORY_BYTES = 256
_WORDS = [re.escape(words.encode()) for words in re.split(r"\{left_out\}|\{limit\}", names.LOG_GAP)]
_GAP = re.compile(b"\n" + _WORDS[0] + rb"(\d{1,18})" + _WORDS[1] + rb"(\d{1,9})(B|MB)" + _WORDS[2] + b"\n")
_UNITS = {b"B": 1, b"MB": 1 << 20}


class Gap(NamedTuple):
    """The line that stands for bytes left out: where it begins and ends, how many, and the limit in words."""

    start: int
    end: int
    left_out: int
    limit: str

    def to_stream(self, position: int) -> int:
        """Turn a position in the file into an offset in the whole stream."""
        if position <= self.start:
            return position
        return max(position, self.end) - (self.end - self.start) + self.left_out

    def to_file(self, offset: int) -> int:
        """Turn an offset in the whole stream into a position in the file; of what is left out, its end."""
        if offset <= self.start:
            return offset
        return max(self.end, offset - self.left_out + self.end - self.start)

    def count_lost(self, offset: int) -> int:
        """Return how many bytes that follow `offset` in the whole stream are left out here."""
        return max(0, self.start + self.left_out - offset) if offset > self.start else 0


NO_GAP = Gap(0, 0, 0, "")


class LogTail:
    """A reader of one log that remembers where it is.

    Args:
        path: the log, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._position = 0
        self._memory = b""  # the last bytes read: a file with others there is another one
        self._gap = NO_GAP

    def read_new(self) -> bytes:
        """Return what was written since the last call, about 1 MiB at most; empty when nothing is new."""
        try:
            descriptor = os.open(self._path, FLAGS)
        except OSError:
            return b""
        try:
            said = b"" if self._is_same(descriptor) else self._move_to(descriptor)
            return said + self._advance(descriptor)
        except OSError:  # a folder in its place
            return b""
        finally:
            os.close(descriptor)

    def _is_same(self, descriptor: int) -> bool:
        facts = os.fstat(descriptor)
        return (facts.st_dev, facts.st_ino) == self._identity and self._is_known(descriptor, self._position)

    def _is_known(self, descriptor: int, position: int) -> bool:
        start = position - len(self._memory)
        return start >= 0 and _read_at(descriptor, start, len(self._memory)) == self._memory

    def _move_to(self, descriptor: int) -> bytes:
        """Find our place in another file; return what must be said about bytes that are lost to us."""
        offset = self._gap.to_stream(self._position)
        facts = os.fstat(descriptor)
        self._identity = facts.st_dev, facts.st_ino
        self._gap = _find_gap(descriptor)
        lost = self._gap.count_lost(offset)
        self._position = self._gap.to_file(offset)
        if not lost and self._is_known(descriptor, self._position):
            return b""
        self._memory = b""
        if not lost:  # another log altogether
            self._position = 0
            return b""
        return f"\n{names.LOG_GAP.format(left_out=lost, limit=self._gap.limit)}\n".encode()

    def _advance(self, descriptor: int) -> bytes:
        data = _read_at(descriptor, self._position, CHUNK_BYTES)
        self._position += len(data)
        self._memory = (self._memory + data)[-MEMORY_BYTES:]
        return data


def _find_gap(descriptor: int) -> Gap:
    os.lseek(descriptor, 0, os.SEEK_SET)
    begin, kept = 0, b""
    while data := os.read(descriptor, CHUNK_BYTES):
        text = kept + data
        for match in _GAP.finditer(text):
            gap = Gap(
                begin + match.start(), begin + match.end(), int(match[1]), (match[2] + match[3]).decode()
            )
            if _is_genuine(gap.start, int(match[2]), _UNITS[match[3]]):
                return gap
        kept = text[-MEMORY_BYTES:]
        begin += len(text) - len(kept)
    return NO_GAP


def _is_genuine(start: int, limit: int, unit: int) -> bool:
    """Tell the runner's own line, which ends the first quarter, from one that the run itself printed."""
    return limit * unit // 4 <= start < max((limit + 1) * unit // 4, limit * unit // 4 + 1)


def _read_at(descriptor: int, position: int, size_bytes: int) -> bytes:
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, size_bytes)
