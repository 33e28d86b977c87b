"""Which run comes next. Pure: it is told what happened and never looks."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Queue:
    """The runs of a batch, in order, and the jobs that wait for others.

    Every operation costs the same however many runs there are.

    Args:
        job_names: the jobs, in order.
        after: for each job, the names of the jobs that it waits for.
        jobs: for each run, the index of its job.
        states: for each run, its state.
    """

    def __init__(
        self,
        *,
        job_names: Sequence[str],
        after: Sequence[Sequence[str]],
        jobs: Sequence[int],
        states: Sequence[str],
    ) -> None:
        index = {name: number for number, name in enumerate(job_names)}
        self._after = [[index[name] for name in waits] for waits in after]
        self._names = tuple(job_names)
        self._jobs = list(jobs)
        self.states = list(states)
        self._counts = [Counter[str]() for _ in job_names]
        self._waiting: list[deque[int]] = [deque() for _ in job_names]
        for run, state in enumerate(states):
            self._counts[self._jobs[run]][state] += 1
            if state == names.QUEUED:
                self._waiting[self._jobs[run]].append(run)

    def ready(self) -> Iterator[int]:
        """Yield the next run of each job that need not wait, jobs in order."""
        for job, waiting in enumerate(self._waiting):
            self._forget_started(waiting)
            if waiting and all(self._has_succeeded(other) for other in self._after[job]):
                yield waiting[0]

    def hopeless(self) -> list[tuple[int, str]]:
        """Return the queued runs whose job waits for one that failed, with the name of that one."""
        found = {  # a run that was resumed may wait at two places
            run: self._names[failed]
            for job, others in enumerate(self._after)
            if (failed := next((other for other in others if self._has_failed(other)), None)) is not None
            for run in self._waiting[job]
            if self.states[run] == names.QUEUED
        }
        return list(found.items())

    def set_state(self, run: int, state: str) -> None:
        """Say what became of a run; one that is queued again goes behind the others of its job."""
        counts = self._counts[self._jobs[run]]
        counts[self.states[run]] -= 1
        counts[state] += 1
        if state == names.QUEUED and self.states[run] != names.QUEUED:
            self._waiting[self._jobs[run]].append(run)
        self.states[run] = state

    def count(self, state: str) -> int:
        """Return how many runs are in a state."""
        return sum(counts[state] for counts in self._counts)

    def count_of(self, job: int, state: str) -> int:
        """Return how many runs of a job are in a state."""
        return self._counts[job][state]

    def _forget_started(self, waiting: deque[int]) -> None:
        while waiting and self.states[waiting[0]] != names.QUEUED:
            waiting.popleft()

    def _is_open(self, job: int) -> bool:
        return bool(self._counts[job][names.QUEUED] or self._counts[job][names.RUNNING])

    def _has_succeeded(self, job: int) -> bool:
        return self._counts[job][names.SUCCEEDED] == self._counts[job].total()

    def _has_failed(self, job: int) -> bool:
        return not self._is_open(job) and not self._has_succeeded(job)
