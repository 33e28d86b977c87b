"""What was fetched into a folder, so that what the user changed there is told from what came from the node.

A file of JSON lines in the folder; a torn or lost line costs one comparison by content, nothing else.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from launcher.results.files import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.machine.tree import Row

RECORD = ".fetched"
_MOST_IN_VAIN = 2000
_FIELDS = 6


class Known(NamedTuple):
    """A file as it came: size, time and mode at the node, time at home, sha256."""

    size: int
    changed_ns: int
    mode: int
    home_ns: int
    sha256: str

    def is_row(self, row: Row) -> bool:
        """Tell whether the node still has what came."""
        return (row.size, row.changed_ns) == (self.size, self.changed_ns)

    def is_home(self, facts: os.stat_result) -> bool:
        """Tell whether home still has what came."""
        return (facts.st_size, facts.st_mtime_ns) == (self.size, self.home_ns)


class Record:
    """The files that came into a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self._new: list[str] = []
        self._files: dict[str, Known] = {}
        self._lines = 0
        for line in (read_bytes(str(self._path)) or b"").split(b"\n"):
            self._take(line)

    def get(self, path: str) -> Known | None:
        """Return what is known of a file."""
        return self._files.get(path)

    def set(self, path: str, known: Known) -> None:
        """Remember a file; it is written with the next `save`."""
        self._files[path] = known
        self._new.append(_line(path, known))

    def save(self) -> None:
        """Write what is new."""
        if not self._new:
            return
        if self._lines + len(self._new) > 2 * len(self._files) + _MOST_IN_VAIN:
            self._write_anew()
        else:
            with self._path.open("a", encoding="ascii", newline="\n") as file:
                file.write("\n" + "".join(self._new))  # the first ends a line that a crash may have torn
        self._lines += len(self._new)
        self._new = []

    def _write_anew(self) -> None:
        new = self._path.with_name(f"{RECORD}.{os.getpid()}")
        new.write_text("".join(_line(path, known) for path, known in self._files.items()), "ascii")
        new.replace(self._path)
        self._lines = len(self._files) - len(self._new)

    def _take(self, line: bytes) -> None:
        try:
            path, *rest = json.loads(line)
            self._files[path] = Known(*rest)
        except (ValueError, TypeError):
            return
        self._lines += 1


def _line(path: str, known: Known) -> str:
    return json.dumps([path, *known], separators=(",", ":")) + "\n"
