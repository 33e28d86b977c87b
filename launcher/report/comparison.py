"""Compare the variants of jobs by their results. Computes; `comparison_text` and `comparison_json` show it.

The unit is the repeat (a seed), not the run: the folds of a repeat share training data, so they are averaged
first and never counted as independent. Runs that did not succeed count for nothing, and are said.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.report.comparison_notes import Result, note
from launcher.report.counts import varied
from launcher.report.metric_values import guess_mode, value_of
from launcher.report.statistics import Summary, deviation_of, mean_of, summarize
from launcher.results.metrics import read_metrics
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from launcher.results.records import BatchRecord, JobRecord, RunRecord

    Metrics = Mapping[str, Any]
    ReadMetrics = Callable[[str], dict[str, Any] | None]


MODES = ("min", "max")


class Row(NamedTuple):
    """One variant. `params` are those that differ among variants; `folds_sd` is for one repeat only."""

    variant: int
    params: Mapping[str, Any]
    summary: Summary
    folds_sd: float | None
    planned: int
    counted: int
    is_best: bool


class Group(NamedTuple):
    """One job of one batch. `metric` and `mode` are empty where no run tells any."""

    batch: str
    job: str
    metric: str
    mode: str
    repeats: int
    folds: int | None
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


class Comparison(NamedTuple):
    """Every job of every batch that was asked for."""

    groups: tuple[Group, ...]


def compare(
    batches: Sequence[BatchRecord],
    *,
    metric: str | None = None,
    read: ReadMetrics = read_metrics,
) -> Comparison:
    """Compare the variants of every job.

    Args:
        batches: as they were read.
        metric: a logged name (its value at the last epoch of the last fit) or `evaluate.NAME` (of the last
            evaluate); without it each job's own.
        read: returns the metrics of a run by its folder.
    """
    return Comparison(tuple(group for batch in batches for group in _groups(batch, metric, read)))


def _groups(batch: BatchRecord, metric: str | None, read: ReadMetrics) -> Iterator[Group]:
    runs: dict[str, list[RunRecord]] = {job.name: [] for job in batch.jobs}
    for run in (*batch.skipped, *batch.runs):
        runs[run.job].append(run)
    for job in batch.jobs:
        yield _group(batch, job, runs[job.name], metric, read)


def _group(
    batch: BatchRecord, job: JobRecord, runs: Sequence[RunRecord], metric: str | None, read: ReadMetrics
) -> Group:
    known = {run.id: found for run in runs if run.state == names.SUCCEEDED and (found := read(run.place))}
    chosen = metric or job.metric or _first(known, "metric")
    results = [Result(run, value_of(known[run.id], chosen)) for run in runs if run.id in known]
    mode = _mode(job, known, chosen)
    rows = _mark_best(_rows(job, runs, results), mode)
    notes = note(runs, results, known, metric=chosen, skipped=batch.skipped)
    return Group(batch.id, job.name, chosen, mode, job.repeats, job.folds, rows, tuple(notes))


def _first(known: Mapping[str, Metrics], key: str) -> str:
    words = (found.get(key) for found in known.values())
    return next((word for word in words if isinstance(word, str) and word), "")


def _mode(job: JobRecord, known: Mapping[str, Metrics], metric: str) -> str:
    recorded = _first(known, "metric")
    if job.mode and metric == (job.metric or recorded):
        return job.mode
    said = _first(known, "mode") if metric == recorded else ""
    return said if said in MODES else guess_mode(metric)


def _rows(job: JobRecord, runs: Sequence[RunRecord], results: Sequence[Result]) -> tuple[Row, ...]:
    special = varied(job.variants)
    planned = Counter(run.variant for run in runs)
    repeats = _by_repeat(results)
    return tuple(
        _row(index, {name: variant.get(name) for name in special}, repeats.get(index, {}), planned[index])
        for index, variant in enumerate(job.variants)
    )


def _by_repeat(results: Sequence[Result]) -> dict[int, dict[int, list[float]]]:
    """Return the values of every fold by variant and repeat."""
    found: dict[int, dict[int, list[float]]] = {}
    for run, value in results:
        if value is not None:
            found.setdefault(run.variant, {}).setdefault(run.repeat, []).append(value)
    return found


def _row(
    variant: int, params: Mapping[str, Any], repeats: Mapping[int, Sequence[float]], planned: int
) -> Row:
    folds = list(repeats.values())
    has_one_repeat = len(folds) == 1 and len(folds[0]) > 1
    return Row(
        variant=variant,
        params=params,
        summary=summarize([mean_of(values) for values in folds]),
        folds_sd=deviation_of(folds[0]) if has_one_repeat else None,
        planned=planned,
        counted=sum(len(values) for values in folds),
        is_best=False,
    )


def _mark_best(rows: tuple[Row, ...], mode: str) -> tuple[Row, ...]:
    means = [row.summary.mean for row in rows]
    finite = [mean for mean in means if mean is not None and math.isfinite(mean)]
    if len(finite) < 2 or not mode:  # noqa: PLR2004  # the best of one is no news
        return rows
    best = max(finite) if mode == "max" else min(finite)
    return tuple(row._replace(is_best=row.summary.mean == best) for row in rows)
