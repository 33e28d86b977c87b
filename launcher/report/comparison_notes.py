"""Say what stands behind a comparison: what is missing, not finite, or taken from elsewhere. Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.report.counts import state_text
from launcher.report.metric_values import list_metrics
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launcher.results.records import RunRecord


class Result(NamedTuple):
    """The value of one run; None where it has none, NaN where it is not finite."""

    run: RunRecord
    value: float | None


def note(
    runs: Sequence[RunRecord],
    results: Sequence[Result],
    known: Mapping[str, Mapping[str, Any]],
    *,
    metric: str,
    skipped: Sequence[RunRecord],
) -> tuple[str, ...]:
    """Return what must be said about the runs of a job.

    Args:
        runs: all of them.
        results: values of those that succeeded and left metrics.
        known: the metrics of those, by run id.
        metric: that is compared.
        skipped: runs of earlier batches among `runs`.
    """
    return (
        *_note_missing(runs),
        *_note_earlier(runs, skipped),
        *_note_silent(runs, known),
        *_note_broken(results),
        *_note_unknown(results, known, metric),
        *_note_incomplete(runs, results),
    )


def _note_missing(runs: Sequence[RunRecord]) -> Iterator[str]:
    states = Counter(run.state for run in runs if run.state != names.SUCCEEDED)
    if states:
        listing = ", ".join(f"{count:,} {state_text(state)}" for state, count in states.items())
        yield f"{states.total():,} of {len(runs):,} runs missing: {listing}."


def _note_earlier(runs: Sequence[RunRecord], skipped: Sequence[RunRecord]) -> Iterator[str]:
    earlier = sum(1 for run in skipped if run.job == runs[0].job) if runs else 0
    if earlier:
        yield f"{earlier:,} of {len(runs):,} runs had succeeded in earlier batches and are counted."


def _note_silent(runs: Sequence[RunRecord], known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    silent = sum(1 for run in runs if run.state == names.SUCCEEDED and run.id not in known)
    if silent:
        yield f"{silent:,} of {len(runs):,} runs succeeded and left no metrics."


def _note_broken(results: Sequence[Result]) -> Iterator[str]:
    broken = sum(1 for _, value in results if value is not None and not math.isfinite(value))
    if broken:
        yield f"{broken:,} of {len(results):,} values not finite; so is each mean that they are part of."


def _note_unknown(
    results: Sequence[Result], known: Mapping[str, Mapping[str, Any]], metric: str
) -> Iterator[str]:
    without = sum(1 for _, value in results if value is None)
    if without and metric:
        options = sorted({name for found in known.values() for name in list_metrics(found)})
        listing = ", ".join(options) or "none"
        yield f"{without:,} of {len(results):,} runs have no {metric}; they have: {listing}."


def _note_incomplete(runs: Sequence[RunRecord], results: Sequence[Result]) -> Iterator[str]:
    planned = Counter((run.variant, run.repeat) for run in runs)
    counted = Counter((run.variant, run.repeat) for run, value in results if value is not None)
    if any(count < planned[repeat] for repeat, count in counted.items()):
        yield "A repeat with folds missing is averaged over those that it has."
