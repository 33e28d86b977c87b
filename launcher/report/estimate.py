"""Estimate what is left to do from what was measured. Where nothing was measured, it says nothing."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from launcher.results.details import NOTHING, Details
from launcher.results.files import parse_time
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from launcher.results.history import Progress
    from launcher.results.records import BatchRecord, RunRecord

Key = tuple[str, int]
_ANY_VARIANT = -1
_MEASURED = (names.SUCCEEDED, names.FAILED, names.TIMED_OUT, names.STALLED)


class Estimate(NamedTuple):
    """Seconds until the batch is done and, by id, each running run; None or no entry where it is unknown."""

    batch_s: float | None
    runs_s: Mapping[str, float]


def estimate(batch: BatchRecord, now: datetime, *, details: Details = NOTHING) -> Estimate:
    """Estimate how long a batch and its running runs still take.

    A running run goes by its own epochs, else by the median of finished runs of its variant, else of its job.
    """
    durations = _measure(batch.runs)
    running = [run for run in batch.runs if run.state == names.RUNNING]
    left = {run.id: _left_of(run, now, durations, details) for run in running}
    runs_s = {run: seconds for run, seconds in left.items() if seconds is not None}
    guessed = durations | _guess(running, runs_s, now, durations)
    return Estimate(_left_of_batch(batch, running, runs_s, guessed), runs_s)


def duration_s(run: RunRecord) -> float | None:
    """Return how long the last attempt of a run took; None where it has not ended."""
    started, ended = parse_time(run.started_at), parse_time(run.ended_at)
    return None if started is None or ended is None else max(0.0, (ended - started).total_seconds())


def elapsed_s(run: RunRecord, now: datetime) -> float:
    """Return for how long a run has been running."""
    started = parse_time(run.started_at)
    return 0.0 if started is None else max(0.0, (now - started).total_seconds())


def _measure(runs: Iterable[RunRecord]) -> dict[Key, float]:
    """Return the median duration by job and variant, and by job; of failed runs only where none succeeded."""
    good: dict[Key, list[float]] = {}
    bad: dict[Key, list[float]] = {}
    for run in runs:
        if run.state not in _MEASURED or (seconds := duration_s(run)) is None:
            continue
        kind = good if run.state == names.SUCCEEDED else bad
        for variant in (run.variant, _ANY_VARIANT):
            kind.setdefault((run.job, variant), []).append(seconds)
    measured = {job for job, _ in good}
    kept = good | {key: values for key, values in bad.items() if key[0] not in measured}
    return {key: _median(values) for key, values in kept.items()}


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _expected_s(run: RunRecord, durations: Mapping[Key, float]) -> float | None:
    return durations.get((run.job, run.variant), durations.get((run.job, _ANY_VARIANT)))


def _left_of(run: RunRecord, now: datetime, durations: Mapping[Key, float], details: Details) -> float | None:
    own = _left_by_epochs(details.progress.get(run.id), details.epochs.get(run.id))
    expected = _expected_s(run, durations)
    if own is not None or expected is None:
        return own
    return max(0.0, expected - elapsed_s(run, now))


def _left_by_epochs(progress: Progress | None, epochs: int | None) -> float | None:
    if progress is None or epochs is None or progress.epochs > epochs:
        return None
    return progress.seconds / progress.epochs * (epochs - progress.epochs)


def _guess(
    running: Sequence[RunRecord], runs_s: Mapping[str, float], now: datetime, known: Mapping[Key, float]
) -> dict[Key, float]:
    """Return how long a job's runs take where none has ended, by those that run."""
    whole = {}
    for run in running:
        if run.id in runs_s and (run.job, _ANY_VARIANT) not in known:
            whole[run.job, _ANY_VARIANT] = elapsed_s(run, now) + runs_s[run.id]
    return whole


def _left_of_batch(
    batch: BatchRecord,
    running: Sequence[RunRecord],
    runs_s: Mapping[str, float],
    durations: Mapping[Key, float],
) -> float | None:
    """Play the rest of the queue through: each run in turn takes the slot that is free first."""
    if not batch.runner.alive or len(runs_s) < len(running):
        return None
    slots = min(max(batch.slots or 1, len(running)), len(batch.runs))
    free = [0.0] * (slots - len(running)) + sorted(runs_s.values())
    end = max(free, default=0.0)
    for run in batch.runs:
        if run.state in {names.QUEUED, names.INTERRUPTED}:
            expected = _expected_s(run, durations)
            if expected is None:
                return None
            end = max(end, heapq.heappushpop(free, free[0] + expected) + expected)
    return end
