"""Do these jobs go together? A batch runs on one machine, in one order, within one limit. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import UsageError
from launcher.spec.job import MOST_RUNS
from launcher.spec.parameters import count_runs
from launcher.spec.shown import show_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.spec.document import Document
    from launcher.spec.job import JobSpec

_AGREE = "A batch runs on one machine: make them agree, or submit them apart."


class Read(NamedTuple):
    """A job, and where each of its values stands."""

    job: JobSpec
    document: Document


def check_batch(jobs: Sequence[Read]) -> None:
    """Check what no job can know alone.

    Raises:
        UsageError: names clash, a job waits for none or for itself, machines differ, or there are too many
            runs.
    """
    _check_names(jobs)
    _check_after({read.job.name: read for read in jobs})
    _check_machines(jobs)
    runs = sum(count_runs(read.job) for read in jobs)
    if runs > MOST_RUNS:
        raise UsageError(
            f"The batch makes {runs:,} runs; the most is {MOST_RUNS:,}.", "Submit fewer jobs at once."
        )


def _check_names(jobs: Sequence[Read]) -> None:
    seen: dict[str, Read] = {}
    for read in jobs:
        other = seen.setdefault(read.job.name.casefold(), read)  # some file systems do not tell A from a
        if other is read:
            continue
        if other.job.source == read.job.source:
            raise UsageError(f"{read.document.source} is given twice.", "Name it once.")
        raise UsageError(
            f"{read.document.place_of('name')}: name: {read.job.name} is taken: "
            f"{other.document.source} is named {other.job.name}.",
            "Write another name; upper and lower case make no difference.",
        )


def _check_after(jobs: Mapping[str, Read]) -> None:
    for name, (job, document) in jobs.items():
        for index, other in enumerate(job.after):
            place = document.place_of("after", index)
            if other == name:
                raise UsageError(f"{place}: after: {name} waits for itself.", "Remove it from after.")
            if other not in jobs:
                close = get_close_matches(other, jobs.keys() - {name}, n=1)
                todo = f"Did you mean {close[0]}?" if close else "Submit it together with this one."
                raise UsageError(f"{place}: after: there is no job {show_value(other)} in this batch.", todo)
    _check_circles(jobs)


def _check_circles(jobs: Mapping[str, Read]) -> None:
    try:
        TopologicalSorter({name: read.job.after for name, read in jobs.items()}).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # graphlib names first what must be done first
        place = jobs[circle[0]].document.place_of("after")
        raise UsageError(
            f"{place}: after: the jobs wait for each other in a circle: {' -> '.join(circle)}.",
            "Remove one of them from after.",
        ) from error


def _check_machines(jobs: Sequence[Read]) -> None:
    for read in jobs[1:]:
        first, machine = jobs[0].job.machine, read.job.machine
        if machine.spot != first.spot:
            raise _differ(jobs[0], read, "spot", first.spot, machine.spot)
        if set(machine.regions) != set(first.regions):
            raise _differ(jobs[0], read, "regions", first.regions, machine.regions)
    left = jobs[0].job.machine.types if jobs else ()
    for read in jobs:
        common = tuple(kind for kind in left if kind in read.job.machine.types)
        if not common:
            raise UsageError(
                f"{read.document.place_of('machine', 'types')}: machine.types: {read.job.name} lists none of "
                f"{', '.join(left)}, which {jobs[0].job.name} and the jobs after it have in common.",
                _AGREE,
            )
        left = common


def _differ(first: Read, other: Read, key: str, wanted: object, found: object) -> UsageError:
    return UsageError(
        f"{other.document.place_of('machine', key)}: machine.{key}: {other.job.name} has "
        f"{show_value(found)}, {first.job.name} has {show_value(wanted)}.",
        _AGREE,
    )
