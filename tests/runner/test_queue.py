"""Which run comes next: a table of decisions, without a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from launcher.runner.orphans import Orphans
from launcher.runner.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Sequence


def queue(
    *states: str, after: Sequence[Sequence[str]] = ((), ()), jobs: Sequence[int] | None = None
) -> Queue:
    """A queue of the jobs `a` and `b`; the runs are all of `a` unless `jobs` says otherwise."""
    return Queue(job_names=("a", "b"), after=after, jobs=jobs or [0] * len(states), states=states)


def test_the_next_run_is_the_first_that_is_queued_of_each_job() -> None:
    waiting = queue("succeeded", "queued", "queued", "queued", jobs=[0, 0, 0, 1])

    assert list(waiting.ready()) == [1, 3]


def test_what_runs_is_not_next() -> None:
    waiting = queue("queued", "queued")

    waiting.set_state(0, "running")

    assert list(waiting.ready()) == [1]


def test_a_job_that_waits_is_not_ready_while_the_other_is_open() -> None:
    waiting = queue("running", "queued", jobs=[0, 1], after=((), ("a",)))

    assert list(waiting.ready()) == []
    assert waiting.hopeless() == []
    waiting.set_state(0, "succeeded")
    assert list(waiting.ready()) == [1]


def test_what_waits_for_a_failure_is_hopeless() -> None:
    waiting = queue("failed", "queued", "queued", jobs=[0, 1, 1], after=((), ("a",)))

    assert waiting.hopeless() == [(1, "a"), (2, "a")]


def test_a_run_that_was_cancelled_and_resumed_waits_once() -> None:
    waiting = queue("failed", "queued", "queued", jobs=[0, 1, 1], after=((), ("a",)))
    waiting.set_state(2, "cancelled")
    waiting.set_state(2, "queued")

    assert waiting.hopeless() == [(1, "a"), (2, "a")]


def test_counts_are_of_all_jobs() -> None:
    waiting = queue("queued", "running", "queued", jobs=[0, 0, 1])

    assert (waiting.count("queued"), waiting.count("running"), waiting.count("failed")) == (2, 1, 0)


STATES = ("queued", "running", "succeeded", "failed", "cancelled")


@given(
    jobs=st.lists(st.integers(0, 1), min_size=1, max_size=6),
    moves=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(STATES)), max_size=20),
)
def test_whatever_happens_only_queued_runs_are_next_and_none_is_forgotten(
    jobs: list[int], moves: list[tuple[int, str]]
) -> None:
    waiting = queue(*["queued"] * len(jobs), jobs=jobs)

    for run, state in moves:
        waiting.set_state(run % len(jobs), state)

        queued = {run for run, state in enumerate(waiting.states) if state == "queued"}
        ready = list(waiting.ready())
        assert set(ready) <= queued
        assert {jobs[run] for run in ready} == {jobs[run] for run in queued}
        assert waiting.count("queued") == len(queued)


def test_an_orphan_is_suspected_of_whoever_ran_when_it_was_found() -> None:
    orphans = Orphans()
    orphans.look({1, 2, 77}, mains={1, 2})

    orphans.look({2, 3, 77, 88}, mains={2, 3})

    assert orphans.left_by(2, mains={2, 3}) == {77}
    assert orphans.left_by(3, mains={2, 3}) == set()
    assert orphans.left_by(3, mains={3}) == {77, 88}
