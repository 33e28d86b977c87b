"""What must hold between the fields of one job, beyond each field's own form. Pure."""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING

from launcher.runner import names
from launcher.spec.document import Fault
from launcher.spec.job_file import MOST_RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launcher.spec.job import JobSpec

_GIVEN = frozenset({names.ENV_OUTPUT, names.ENV_PARAMS, names.ENV_SEED, names.ENV_RUN})
_FOLDS = frozenset({"fold", "folds"})


def count_runs(job: JobSpec) -> int:
    """Return how many runs a job makes."""
    return prod(len(values) for values in job.grid.values()) * job.repeats * (job.folds or 1)


def find_fault(job: JobSpec) -> Fault | None:
    """Return the first thing that is wrong with a job, None where all is right."""
    return next(_faults(job), None)


def _faults(job: JobSpec) -> Iterator[Fault]:
    for section, parameters in (("params", job.params), ("grid", job.grid)):
        for name in parameters:
            yield from _parameter_faults(job, section, name)
    for name, values in job.grid.items():
        yield from _repeated_values(name, values)
    for name in _GIVEN & job.env.keys():
        yield Fault(("env", name), "launcher sets this variable itself", f"Leave {name} out")
    runs = count_runs(job)
    if runs > MOST_RUNS:
        what = f"the job makes {runs:,} runs, the most is {MOST_RUNS:,}"
        yield Fault(("grid",) if job.grid else ("repeats",), what, "Vary fewer values, or repeat less")


def _parameter_faults(job: JobSpec, section: str, name: str) -> Iterator[Fault]:
    path = (section, name)
    if section == "grid" and name in job.params:
        yield Fault(path, f"{name} stands in params, too", "Leave it out of one of them")
    if name == "params":
        yield Fault(path, "{params} in run means all parameters", "Write another name")
    if name == "seed":
        todo = "Write seed: 7 beside params, and --seed={seed} in run"
        yield Fault(path, "the seed is no parameter, since it counts up over repeats", todo)
    if name in _FOLDS and job.folds is not None:
        yield Fault(path, "each run is given this parameter by folds", f"Leave {name} out of {section}")


def _repeated_values(name: str, values: tuple[object, ...]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        text = json.dumps(value, sort_keys=True, ensure_ascii=False)
        if text in seen:
            todo = "Leave it out, or write repeats: 2 to run it twice"
            yield Fault(("grid", name, index), f"{text} stands in the list twice", todo)
        seen.add(text)
