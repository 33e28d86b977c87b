"""Count runs by state, and name the runs of a batch in few words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.report.text import settings_text
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launcher.results.records import BatchRecord, RunRecord

ORDER = (
    names.SUCCEEDED,
    names.RUNNING,
    names.FAILED,
    names.TIMED_OUT,
    names.STALLED,
    names.INTERRUPTED,
    names.CANCELLED,
    names.QUEUED,
)
_WORDS = {names.TIMED_OUT: "timed out"}


class Count(NamedTuple):
    """How many runs there are in each state."""

    states: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return how many runs there are."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """Return how many runs need no more work."""
        open_states = {names.QUEUED, names.RUNNING, names.INTERRUPTED}
        return sum(count for state, count in self.states.items() if state not in open_states)

    def text(self) -> str:
        """Return `58 succeeded, 2 running`."""
        parts = (f"{self.states[state]:,} {state_text(state)}" for state in ORDER if self.states.get(state))
        return ", ".join(parts) or "no runs"


def count_runs(runs: Iterable[RunRecord]) -> Count:
    """Count runs by state."""
    states: dict[str, int] = {}
    for run in runs:
        states[run.state] = states.get(run.state, 0) + 1
    return Count(states)


def count_by_job(batch: BatchRecord) -> dict[str, Count]:
    """Count the runs of each job by state, in the order of the jobs."""
    counts: dict[str, dict[str, int]] = {job.name: {} for job in batch.jobs}
    for run in batch.runs:
        states = counts[run.job]
        states[run.state] = states.get(run.state, 0) + 1
    return {job: Count(states) for job, states in counts.items()}


def state_text(state: str) -> str:
    """Return a state as people write it."""
    return _WORDS.get(state, state)


def varied(variants: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the names of the parameters in which variants differ."""
    every = dict.fromkeys(name for variant in variants for name in variant)
    return tuple(name for name in every if _differs(name, variants))


def describe_runs(batch: BatchRecord, runs: Sequence[RunRecord]) -> dict[str, str]:
    """Return what is special about runs, by id: the parameters that differ in their job, fold and seed."""
    special = {job.name: varied(job.variants) for job in batch.jobs}
    return {run.id: describe(run, special[run.job]) for run in runs}


def describe(run: RunRecord, special: Iterable[str]) -> str:
    """Return the named parameters of a run, its fold and its seed in a few words."""
    chosen = [(name, run.params[name]) for name in special if name in run.params]
    chosen += [("fold", run.fold)] * (run.fold is not None) + [("seed", run.seed)] * (run.seed is not None)
    return settings_text(chosen)


def _differs(name: str, variants: Sequence[Mapping[str, Any]]) -> bool:
    # By their texts: 1 equals True and 1.0, and the command line tells them apart.
    return len({repr(variant[name]) if name in variant else "" for variant in variants}) > 1
