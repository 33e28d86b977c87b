"""Do the parameters of one job go together, and how many runs do they make? Pure."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.spec.job import MOST_RUNS

if TYPE_CHECKING:
    from launcher.spec.document import Document
    from launcher.spec.job import JobSpec


def count_runs(job: JobSpec) -> int:
    """Return how many runs a job makes."""
    return prod(len(values) for values in job.grid.values()) * job.repeats * (job.folds or 1)


def check_parameters(job: JobSpec, document: Document) -> None:
    """Check that each parameter is given once, and that there are not too many runs.

    Raises:
        UsageError: it is not so.
    """
    _check_once(job, document)
    _check_folds(job, document)
    runs = count_runs(job)
    if runs > MOST_RUNS:
        key = next(key for key in ("grid", "repeats", "folds") if (key,) in document.where)
        raise UsageError(
            f"{document.place_of(key)}: {key}: {job.name} makes {runs:,} runs; the most is {MOST_RUNS:,}.",
            "Vary fewer values, or repeat them less.",
        )


def _check_once(job: JobSpec, document: Document) -> None:
    for name in job.grid:
        if name in job.params:
            first = document.place_of("params", name)
            raise UsageError(
                f"{document.place_of('grid', name)}: grid.{name} stands in params too, at {first}.",
                "Remove it from one of them.",
            )


def _check_folds(job: JobSpec, document: Document) -> None:
    for section, given in (("params", job.params), ("grid", job.grid)):
        for name in ("fold", "folds"):
            if job.folds is not None and name in given:
                raise UsageError(
                    f"{document.place_of(section, name)}: {section}.{name} is what folds gives to each run.",
                    f"Remove {name} from {section}, or remove folds.",
                )
