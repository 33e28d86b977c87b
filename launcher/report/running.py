"""The running runs of a batch, a line each: epoch, metric, loss so far, time to go. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.report.counts import describe_runs
from launcher.report.estimate import elapsed_s
from launcher.report.text import clean, columns_of, cut, number, plural, span, sparkline, table
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from launcher.report.estimate import Estimate
    from launcher.results.details import Details
    from launcher.results.history import Progress
    from launcher.results.records import BatchRecord, RunRecord

SHOWN = 10
LOSS_COLUMNS = 12
NARROWEST = 8


def running_lines(
    batch: BatchRecord, left: Estimate, *, details: Details, now: datetime, columns: int
) -> list[str]:
    """Return a line for each of the first running runs, no longer than `columns` where that can be."""
    running = [run for run in batch.runs if run.state == names.RUNNING]
    special = describe_runs(batch, running[:SHOWN])
    rows = [
        [clean(run.id), special[run.id], *progress_cells(batch, run, details), clock(run, left, now)]
        for run in running[:SHOWN]
    ]
    more = len(running) - SHOWN
    return table(_fit(rows, columns)) + [f"  … and {plural(more, 'more run')}"] * (more > 0)


def progress_cells(batch: BatchRecord, run: RunRecord, details: Details) -> tuple[str, str, str]:
    """Return what a running run shows of itself: its epoch, its metric, a sparkline of its loss."""
    progress = details.progress.get(run.id)
    if progress is None:
        return "no epoch yet", "", ""
    total = details.epochs.get(run.id)
    of = f"/{total}" if total and total >= progress.epochs else ""
    metric = metric_of(batch, run, progress)
    shown = f"{clean(metric)} {number(progress.values[metric])}" if metric else ""
    return f"epoch {progress.epochs}{of}", shown, sparkline(progress.losses, columns=LOSS_COLUMNS)


def metric_of(batch: BatchRecord, run: RunRecord, progress: Progress) -> str:
    """Return the metric to watch: the job's, else the val_ form of the first compiled one, else a loss."""
    wanted = next((job.metric or "" for job in batch.jobs if job.name == run.job), "")
    logged = [name for name in progress.values if name not in {"learning_rate", "lr"}]
    compiled = [name for name in logged if name.startswith("val_") and name != "val_loss"]
    options = (wanted, *compiled[:1], "val_loss", "loss", *logged[:1])
    return next((name for name in options if name in progress.values), "")


def clock(run: RunRecord, left: Estimate, now: datetime) -> str:
    """Return how long a running run still takes, or has taken where that is unknown."""
    known = left.runs_s.get(run.id)
    return f"{span(elapsed_s(run, now))} so far" if known is None else f"{span(known)} left"


def _fit(rows: Sequence[list[str]], columns: int) -> Sequence[list[str]]:
    """Shorten what is special about the runs until the lines fit: the rest of a line is what changes."""
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    over = sum(2 + width for width in widths) - columns
    if over <= 0:
        return rows
    room = max(NARROWEST, widths[1] - over)
    return [[run, cut(special, room), *rest] for run, special, *rest in rows]
