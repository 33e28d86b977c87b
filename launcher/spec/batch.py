"""Do these jobs go together? A batch runs on one machine, in one order, within one limit. Pure."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.spec.job import JobSpec

_MOST_RUNS = 100_000


def count_runs(job: JobSpec) -> int:
    """Return how many runs a job makes."""
    return prod(len(values) for values in job.grid.values()) * job.repeats * (job.folds or 1)


def check_batch(jobs: Sequence[JobSpec]) -> None:
    """Check what no job can know alone.

    Raises:
        UsageError: names clash, a job waits for none or for itself, machines differ, or there are too many runs.
    """
    _check_names(jobs)
    _check_after(jobs)
    _check_machines(jobs)
    runs = sum(count_runs(job) for job in jobs)
    if runs > _MOST_RUNS:
        raise UsageError(
            f"The batch makes {runs:,} runs; the most is {_MOST_RUNS:,}.", "Submit fewer jobs at once."
        )


def common_types(jobs: Sequence[JobSpec]) -> tuple[str, ...]:
    """Return the machine types that every job lists, in the first job's order."""
    return tuple(kind for kind in jobs[0].machine.types if all(kind in job.machine.types for job in jobs))


def _check_names(jobs: Sequence[JobSpec]) -> None:
    seen: dict[str, JobSpec] = {}
    for job in jobs:
        other = seen.setdefault(job.name.casefold(), job)  # some file systems do not tell A from a
        if other is not job:
            raise UsageError(
                f"{job.source.name} and {other.source.name} are both named {job.name}.",
                "Write a name: into one of them.",
            )


def _check_after(jobs: Sequence[JobSpec]) -> None:
    by_name = {job.name: job for job in jobs}
    for job in jobs:
        for other in job.after:
            if other == job.name:
                raise UsageError(
                    f"{job.source.name}: after: {job.name} waits for itself.", "Remove it from after."
                )
            if other not in by_name:
                raise UsageError(
                    f"{job.source.name}: after: there is no job {other} in this batch.",
                    f"Submit it as well, or write one of: {', '.join(by_name)}.",
                )
    _check_cycles(by_name)


def _check_cycles(jobs: dict[str, JobSpec]) -> None:
    done: set[str] = set()
    for name in jobs:
        path = [name]
        while path:
            waiting = next((other for other in jobs[path[-1]].after if other not in done), None)
            if waiting is None:
                done.add(path.pop())
            elif waiting in path:
                circle = " -> ".join([*path[path.index(waiting) :], waiting])
                raise UsageError(
                    f"The jobs wait for each other in a circle: {circle}.", "Break it in one after:."
                )
            else:
                path.append(waiting)


def _check_machines(jobs: Sequence[JobSpec]) -> None:
    for job in jobs[1:]:
        first = jobs[0]
        if job.machine.spot != first.machine.spot:
            raise _differ(first, job, "machine.spot")
        if job.machine.regions != first.machine.regions:
            raise _differ(first, job, "machine.regions")
    for index in range(2, len(jobs) + 1):
        if not common_types(jobs[:index]):
            raise _differ(jobs[0], jobs[index - 1], "machine.types, with none in common")


def _differ(first: JobSpec, other: JobSpec, what: str) -> UsageError:
    return UsageError(
        f"{first.name} and {other.name} differ in {what}; a batch runs on one machine.",
        "Make them agree, or submit them apart.",
    )
