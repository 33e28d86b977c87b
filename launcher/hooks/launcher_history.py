"""Write history.csv: a row an epoch of every fit, on disk when the epoch has ended.

Columns: fit and epoch (from 0), attempt (from 1), seconds, then what Keras logged, floats as repr. Several
processes of a run may write: each looks what the others did before it adds a row. A column that comes later
rewrites the file. A metric that has the name of one of the first four columns becomes `logs.NAME`, and
`logs.NAME` becomes `logs.logs.NAME`.
"""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .launcher_files import append, locked, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OWN = ("fit", "epoch", "attempt", "seconds")
_PREFIX = "logs."


class Epoch(NamedTuple):
    """One epoch as it ended: its number from 0, how long it took, what was logged."""

    number: int
    seconds: float
    values: Mapping[str, float]


class HistoryFile:
    """The history of one run, as this process knows it.

    Args:
        folder: the run's folder.
        attempt: the attempt that this process belongs to.
    """

    def __init__(self, folder: str, *, attempt: int) -> None:
        self._folder, self._attempt = folder, attempt
        self._path = os.path.join(folder, "history.csv")
        self._columns: list[str] = []
        self._fits: set[int] = set()
        self._shift = 0
        self._inode = self._size = -1

    def add(self, epoch: Epoch, *, call: int, fit: int | None) -> int:
        """Add a row.

        Args:
            epoch: what the row says.
            call: which call of fit in this process it is, from 0.
            fit: the index that an earlier row of this call got; None for its first.

        Returns: the index of the fit: `call`, unless other processes of this attempt have taken that.
        """
        values = {_column(name): value for name, value in epoch.values.items()}
        with locked(self._folder):
            self._catch_up()
            index = self._choose_index(call) if fit is None else fit
            own = (index, epoch.number, self._attempt, round(epoch.seconds, 6))
            self._write({**dict(zip(_OWN, own, strict=True)), **values})
        self._fits.add(index)
        return index

    def _catch_up(self) -> None:
        """Read what another process, or an earlier attempt, has written since we last looked."""
        status = os.stat(self._path) if os.path.exists(self._path) else None
        if status is None or status.st_size == 0:
            self._columns, self._inode, self._size = [], -1, 0
            return
        if (status.st_ino, status.st_size) == (self._inode, self._size):
            return
        with open(self._path, "rb") as file:
            if status.st_ino == self._inode:
                file.seek(self._size)
            else:
                self._columns = _read_header(file)
            self._learn(file.read())
        self._inode, self._size = status.st_ino, os.path.getsize(self._path)

    def _learn(self, rows: bytes) -> None:
        torn = len(rows) - (rows.rfind(b"\n") + 1)
        if torn:  # by a disk that was full, or a power cut
            os.truncate(self._path, os.path.getsize(self._path) - torn)
        for row in rows.split(b"\n"):
            cells = row.split(b",", len(_OWN))
            if len(cells) >= len(_OWN) and cells[2] == b"%d" % self._attempt and cells[0].isdigit():
                self._fits.add(int(cells[0]))

    def _choose_index(self, call: int) -> int:
        if call + self._shift in self._fits:
            self._shift = max(self._fits) + 1 - call
        return call + self._shift

    def _write(self, cells: Mapping[str, float]) -> None:
        added = [name for name in cells if name not in self._columns]
        columns = [*self._columns, *added]
        row = _to_line(repr(cells[name]) if name in cells else "" for name in columns)
        if added and self._columns:
            self._rewrite(columns, row)
            status = os.stat(self._path)
        else:
            status = append(self._path, _to_line(columns) + row if added else row)
        self._columns, self._inode, self._size = columns, status.st_ino, status.st_size

    def _rewrite(self, columns: Sequence[str], row: bytes) -> None:
        with open(self._path, "rb") as file:
            _read_header(file)
            rows = file.read()
        room = b"," * (len(columns) - len(self._columns))
        # Rows are numbers without quotes, so every line end ends a row.
        replace_file(self._path, _to_line(columns) + rows.replace(b"\n", room + b"\n") + row)


def _column(name: str) -> str:
    name = name.encode("utf-8", "backslashreplace").decode()
    return _PREFIX + name if name in _OWN or name.startswith(_PREFIX) else name


def _to_line(cells: Iterator[str] | Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # of which it quotes both where a name has them
    return text.getvalue().removesuffix("\r\n").encode() + b"\n"


def _read_header(file: BinaryIO) -> list[str]:
    """Read the first record, which may span lines, and leave the file at the next.

    Raises:
        ValueError: this is no history of ours.
    """
    header = next(csv.reader(line.decode("utf-8", "replace") for line in iter(file.readline, b"")), [])
    if tuple(header[: len(_OWN)]) != _OWN:
        raise ValueError("history.csv holds something else")
    return header
