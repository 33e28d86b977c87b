"""Do these jobs go together? A batch runs on one machine, in one order, within one limit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.spec.document import Fault
from launcher.spec.job_checks import count_runs
from launcher.spec.job_file import MOST_RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.spec.job import JobSpec

_APART = "Make them agree, or submit them apart"


def find_conflict(jobs: Sequence[JobSpec], *, files: Sequence[str]) -> Fault | None:
    """Return the first thing that no job can know alone, None where the jobs go together.

    Names clash, a job waits for none or for itself, machines differ, or there are too many runs.

    Args:
        files: the jobs' files as the user wrote them.
    """
    return next(_conflicts(jobs, files), None)


def common_types(jobs: Sequence[JobSpec]) -> tuple[str, ...]:
    """Return the machine types that every job lists, in the first job's order."""
    return tuple(kind for kind in jobs[0].machine.types if all(kind in job.machine.types for job in jobs))


def _conflicts(jobs: Sequence[JobSpec], files: Sequence[str]) -> Iterator[Fault]:
    yield from _same_names(jobs, files)
    yield from _missing_jobs(jobs)
    yield from _circles({job.name: job for job in jobs})
    yield from _different_machines(jobs)
    yield from _no_common_type(jobs)
    runs = sum(count_runs(job) for job in jobs)
    if runs > MOST_RUNS:
        what = f"the batch makes {runs:,} runs with this job, the most is {MOST_RUNS:,}"
        yield Fault(("repeats",), what, "Submit fewer jobs at once", len(jobs) - 1)


def _same_names(jobs: Sequence[JobSpec], files: Sequence[str]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, job in enumerate(jobs):
        other = seen.setdefault(job.name.casefold(), index)  # some file systems do not tell A from a
        if other != index:
            what = f"{job.name} is the name of a job already, that of {files[other]}"
            yield Fault(("name",), what, f"Write another name into {files[index]}", index)


def _missing_jobs(jobs: Sequence[JobSpec]) -> Iterator[Fault]:
    known = [job.name for job in jobs]
    for index, job in enumerate(jobs):
        for position, other in enumerate(job.after):
            if other not in known:
                todo = f"Submit it as well, or write one of: {', '.join(known)}"
                what = f'there is no job "{other}" in this batch'
                yield Fault(("after", position), what, todo, index)


def _circles(jobs: dict[str, JobSpec]) -> Iterator[Fault]:
    done: set[str] = set()
    for name in jobs:
        path = [name]
        while path:
            waiting = next((other for other in jobs[path[-1]].after if other not in done), None)
            if waiting in path:
                yield _circle([*path[path.index(waiting) :], waiting], list(jobs))
                return
            if waiting is None:
                done.add(path.pop())
            else:
                path.append(waiting)


def _circle(circle: list[str], order: list[str]) -> Fault:
    """Say who waits for whom, at the job that closes the circle."""
    what = f"{circle[0]} waits for itself"
    if len(circle) > 2:  # noqa: PLR2004 - the job itself stands at both ends
        what = f"the jobs wait for each other in a circle, {' -> '.join(circle)}"
    return Fault(("after",), what, f"Leave {circle[-1]} out", order.index(circle[-2]))


def _different_machines(jobs: Sequence[JobSpec]) -> Iterator[Fault]:
    for index, job in enumerate(jobs):
        first = jobs[0]
        if job.machine.spot != first.machine.spot:
            what = f"the jobs {first.name} and {job.name} differ, and a batch runs on one machine"
            yield Fault(("machine", "spot"), what, _APART, index)
        if set(job.machine.regions) != set(first.machine.regions):
            what = (
                f"{job.name} wants {_listed(job.machine.regions)}, {first.name} wants "
                f"{_listed(first.machine.regions)}, and a batch runs on one machine"
            )
            yield Fault(("machine", "regions"), what, _APART, index)


def _no_common_type(jobs: Sequence[JobSpec]) -> Iterator[Fault]:
    for index in range(1, len(jobs)):
        job, left = jobs[index], common_types(jobs[:index])
        if not common_types(jobs[: index + 1]):
            others = _listed([other.name for other in jobs[:index]])
            what = (
                f"{job.name} lists {_listed(job.machine.types)}, {others} have only {_listed(left)} in common, "
                "and a batch runs on one machine"
            )
            yield Fault(("machine", "types"), what, _APART, index)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
