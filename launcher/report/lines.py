"""What is said of a batch where there is no terminal: changes of state, and now and then progress. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from launcher.report.counts import count_runs, describe_runs, state_text
from launcher.report.estimate import duration_s, estimate
from launcher.report.running import progress_cells
from launcher.report.status import why
from launcher.report.text import clean, local_time, plural, span
from launcher.results.details import NOTHING, Details
from launcher.runner import names

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from launcher.results.records import BatchRecord, RunRecord

PROGRESS_EVERY_S = 30


class View(NamedTuple):
    """A batch as it was seen at one moment."""

    batch: BatchRecord
    now: datetime
    details: Details = NOTHING


def plain_lines(previous: View | None, current: View, *, zone: tzinfo | None = None) -> list[str]:
    """Return what is new since the previous view: the first one says what the batch is.

    A line of progress comes with the first view of each 30 s of the clock.
    """
    clock = local_time(current.now, now=current.now, zone=zone)
    if previous is None:
        return [f"{clock} {clean(current.batch.id)} on {clean(current.batch.on)}: {_counts(current)}"]
    lines = _changes(previous.batch, current.batch)
    if _period(previous) != _period(current) and current.batch.state == names.RUNNING:
        lines += [_counts(current) + _to_go(current), *_running(current)]
    if previous.batch.state != current.batch.state:
        lines.append(f"{clean(current.batch.id)}: {current.batch.state} ({_counts(current)})")
    return [f"{clock} {line}" for line in lines]


def _changes(before: BatchRecord, after: BatchRecord) -> list[str]:
    known = {run.id: (run.state, run.attempts) for run in before.runs}
    changed = [run for run in after.runs if known.get(run.id, ("", 0)) != (run.state, run.attempts)]
    special = describe_runs(after, changed)
    return [_change(run, special[run.id]) for run in changed]


def _change(run: RunRecord, special: str) -> str:
    said = f"{clean(run.id)} {state_text(run.state)}"
    took = duration_s(run) if run.state != names.RUNNING else None
    after = f" after {span(took)}" if took is not None else ""
    attempt = f", attempt {run.attempts}" if run.attempts > 1 else ""
    reason = f": {why(run)}" if run.state not in {names.RUNNING, names.SUCCEEDED} and why(run) else ""
    return f"{said}{after}{attempt}{reason}" + (
        f" ({special})" if special and run.state == names.RUNNING else ""
    )


def _counts(view: View) -> str:
    count = count_runs(view.batch.runs)
    return f"{count.ended:,} of {plural(count.total, 'run')} ended: {count.text()}"


def _to_go(view: View) -> str:
    left = estimate(view.batch, view.now, details=view.details).batch_s
    return "" if left is None else f", about {span(left)} to go"


def _running(view: View) -> list[str]:
    running = (run for run in view.batch.runs if run.id in view.details.progress)
    return [
        f"{clean(run.id)} {' '.join(progress_cells(view.batch, run, view.details)[:2])}" for run in running
    ]


def _period(view: View) -> int:
    return int(view.now.timestamp() // PROGRESS_EVERY_S)
