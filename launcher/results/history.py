"""Read history.csv of a run: what every epoch logged. A torn last line is never taken for values.

An epoch that a retry trained again has two rows: the latest attempt counts. NumPy is imported by
`read_history` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from launcher.results.files import read_bytes
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[tuple[int], np.dtype[np.float64]]

KEYS = ("fit", "epoch", "attempt", "seconds")


class Row(NamedTuple):
    """One line of history.csv; `cells` are all its texts, in the order of the header."""

    fit: int
    epoch: int
    attempt: int
    cells: Sequence[str]


class History(NamedTuple):
    """The epochs of a run in order of fit and epoch.

    `columns`: float64, shape (epochs,) each; NaN where nothing was logged. Empty where there is no history.
    """

    columns: Mapping[str, Array]

    @property
    def epochs(self) -> int:
        """Return how many epochs there are, over all fits."""
        return len(self.columns["epoch"]) if self.columns else 0

    @property
    def logged(self) -> tuple[str, ...]:
        """Return the names that Keras logged."""
        return tuple(name for name in self.columns if name not in KEYS)


class Progress(NamedTuple):
    """How far one attempt of a run has come. `fit` is the last fit, `epoch` its last epoch, both from 0."""

    attempt: int
    fit: int
    epoch: int
    epochs: int
    seconds: float
    values: Mapping[str, float]
    losses: tuple[float, ...]


def read_history(run_folder: Path | str) -> History:
    """Read the history of the run in this folder; one without columns where the run has none."""
    import numpy as np  # noqa: PLC0415  # not for `status`

    header, rows = _read_rows(run_folder)
    latest = _latest(rows)
    if not latest:
        return History({})
    ordered = [latest[key] for key in sorted(latest)]
    return History(
        {
            name: np.array([_number(row.cells, column) for row in ordered], dtype=np.float64)
            for column, name in enumerate(header)
        }
    )


def read_progress(run_folder: Path | str, *, attempt: int) -> Progress | None:
    """Read how far an attempt of the run in this folder has come; None before its first epoch."""
    header, rows = _read_rows(run_folder)
    own = [row for row in rows if row.attempt == attempt]
    if not own:
        return None
    last = own[-1]
    columns = {name: index for index, name in enumerate(header)}
    nowhere = len(header)
    seconds = [_number(row.cells, columns.get("seconds", nowhere)) for row in own]
    loss = columns.get("loss", nowhere)
    return Progress(
        attempt=attempt,
        fit=last.fit,
        epoch=last.epoch,
        epochs=len({(row.fit, row.epoch) for row in own}),
        seconds=sum(each for each in seconds if each >= 0),  # which NaN is not
        values={name: _number(last.cells, index) for name, index in columns.items() if name not in KEYS},
        losses=tuple(_number(row.cells, loss) for row in own if row.fit == last.fit),
    )


def read_epoch_s(run_folder: Path | str) -> float | None:
    """Return how many seconds the middle one of a run's epochs took; None where none is known."""
    header, rows = _read_rows(run_folder)
    column = header.index("seconds") if "seconds" in header else len(header)
    known = sorted(took for row in rows if (took := _number(row.cells, column)) >= 0)
    return known[len(known) // 2] if known else None


def count_epochs(run_folder: Path | str) -> int:
    """Count the epochs of the run in this folder: its distinct pairs of fit and epoch."""
    data = _whole_lines(run_folder)
    header, _, body = data.partition(b"\n")
    if not header.startswith(b"fit,epoch,attempt,") or b'"' in data:
        return len({(row.fit, row.epoch) for row in _parse(data)[1]})
    commas = range(len(KEYS) - 2, header.count(b",") + 1)
    # Splitting bytes is 6 times as fast as csv, which matters for 10,000 runs of 300 epochs.
    pairs = {tuple(line.split(b",", 2)[:2]) for line in body.split(b"\n") if line.count(b",") in commas}
    return sum(1 for fit, epoch in pairs if fit.isdigit() and epoch.isdigit())


def _read_rows(run_folder: Path | str) -> tuple[list[str], list[Row]]:
    return _parse(_whole_lines(run_folder))


def _whole_lines(run_folder: Path | str) -> bytes:
    data = read_bytes(f"{run_folder}/{names.HISTORY}") or b""
    return data[: data.rfind(b"\n") + 1]  # a last line without its end may be half a number


def _parse(data: bytes) -> tuple[list[str], list[Row]]:
    lines = _cells(data.decode("utf-8", "replace"))
    header = next(lines, [])
    if not {"fit", "epoch", "attempt"} <= set(header):
        return [], []
    where = [header.index(name) for name in ("fit", "epoch", "attempt")]
    rows = (_make_row(cells, where, len(header)) for cells in lines)
    return header, [row for row in rows if row is not None]


def _cells(text: str) -> Iterator[list[str]]:
    import csv  # noqa: PLC0415  # 2 ms, and `status` of a finished batch reads no history
    import io  # noqa: PLC0415

    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell of megabytes
            continue


def _make_row(cells: list[str], where: Sequence[int], columns: int) -> Row | None:
    if len(cells) > columns:
        return None
    try:
        fit, epoch, attempt = (int(cells[index]) for index in where)
    except (ValueError, IndexError):
        return None
    return Row(fit, epoch, attempt, cells)


def _latest(rows: Sequence[Row]) -> dict[tuple[int, int], Row]:
    latest: dict[tuple[int, int], Row] = {}
    for row in rows:
        before = latest.get((row.fit, row.epoch))
        if before is None or row.attempt >= before.attempt:
            latest[row.fit, row.epoch] = row
    return latest


def _number(cells: Sequence[str], column: int) -> float:
    try:
        return float(cells[column])
    except (ValueError, IndexError):
        return float("nan")
