"""Take a figure from finished batches: one value a repeat, its folds averaged first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from launcher.report.metric_values import guess_mode, value_of
from launcher.report.statistics import mean_of
from launcher.results.history import read_history
from launcher.results.metrics import read_metrics
from launcher.results.plan_file import read_plan
from launcher.runner import names
from tests.published.figures import BEST_EPOCH_SMOOTHED, LAST, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.results.records import BatchRecord, JobRecord, RunRecord

DROPPED = 10
SMOOTHING = 0.9


class Place(NamedTuple):
    """A variant in a batch."""

    batch: BatchRecord
    job: JobRecord
    variant: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What the batch with the most whole repeats says; `values` is empty where there is none."""

    values: tuple[float, ...]
    folds: int | None
    engine: str


def measure(figure: Figure, batches: Sequence[BatchRecord]) -> Measured:
    """Measure one figure at full size; of equally many repeats the first batch counts."""
    places = [place for batch in batches for place in _find(figure, batch)]
    found = [Measured(_values(figure, place), place.job.folds, _engine(place)) for place in places]
    return max(found, key=lambda each: len(each.values), default=Measured((), None, ""))


def _find(figure: Figure, batch: BatchRecord) -> list[Place]:
    return [
        Place(batch, job, index)
        for job in batch.jobs
        if job.name == figure.job
        for index, variant in enumerate(job.variants)
        if variant == figure.params
    ]


def _engine(place: Place) -> str:
    """Say by what the runs trained, as the plan has it."""
    jobs = read_plan(place.batch.folder)["jobs"]
    planned = next(job for job in jobs if job["name"] == place.job.name)
    backend = planned.get("backend") or planned["env"].get("KERAS_BACKEND") or "tensorflow"
    return f"{backend}, fast" if planned.get("fast") else backend


def _values(figure: Figure, place: Place) -> tuple[float, ...]:
    repeats: dict[int, list[RunRecord]] = {}
    for run in (*place.batch.skipped, *place.batch.runs):
        if (run.job, run.variant, run.state) == (place.job.name, place.variant, names.SUCCEEDED):
            repeats.setdefault(run.repeat, []).append(run)
    whole = [runs for _, runs in sorted(repeats.items()) if len(runs) == (place.job.folds or 1)]
    return tuple(value for runs in whole if (value := _value(figure, runs)) is not None)


def _value(figure: Figure, runs: Sequence[RunRecord]) -> float | None:
    if figure.take != LAST:
        return _best_epoch(figure, runs)
    values = [value_of(read_metrics(run.place) or {}, figure.metric) for run in runs]
    found = [value for value in values if value is not None]
    return mean_of(found) if len(found) == len(runs) else None


def _best_epoch(figure: Figure, runs: Sequence[RunRecord]) -> float | None:
    columns = [read_history(run.place).columns.get(figure.metric) for run in runs]
    found = [column for column in columns if column is not None]
    if len(found) < len(runs):
        return None
    curve = np.mean(found, axis=0)
    if figure.take == BEST_EPOCH_SMOOTHED:
        return float(DROPPED + _smooth(curve[DROPPED:]).argmin() + 1)
    best = curve.argmax() if guess_mode(figure.metric) == "max" else curve.argmin()
    return float(best + 1)


def _smooth(
    curve: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    smoothed = curve.copy()
    for index in range(1, len(curve)):
        smoothed[index] = SMOOTHING * smoothed[index - 1] + (1 - SMOOTHING) * curve[index]
    return smoothed
