"""From job files to a plan: read the jobs, their folders and what exists, decide. Writes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from launcher.plan import FinishedRun, make_plan
from launcher.plan.beginning import Beginning, read_beginning
from launcher.plan.ceiling import needs_of
from launcher.results.finished import finished_runs
from launcher.results.history import read_epoch_s
from launcher.runner import names
from launcher.snapshot import scan
from launcher.spec import load_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from launcher.plan.values import MachineNeeds, Plan
    from launcher.snapshot import Tree
    from launcher.spec import JobSpec
    from launcher.targets.target import Target


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan and what it was made of.

    Attributes:
        trees: what each job's folder holds, by job name.
        requirements: the contents of requirements files, by sha256.
    """

    plan: Plan
    specs: tuple[JobSpec, ...]
    trees: Mapping[str, Tree]
    requirements: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for beside the job files."""

    overrides: tuple[str, ...] = ()
    needed: bool = False
    slots: int | None = None
    cpu: bool = False


def make_draft(files: Sequence[Path], *, wishes: Wishes, home: Path | None, target: Target) -> Draft:
    """Plan a batch.

    Args:
        files: job files, in order.
        home: where earlier batches lie, None where there are none.

    Raises:
        UsageError: a job file, a folder or a wish is not right.
    """
    specs = load_jobs(files, overrides=wishes.overrides)
    folders = {spec.folder: scan(spec.folder) for spec in specs}
    trees = {spec.name: folders[spec.folder] for spec in specs}
    environments = _read_environments(specs, target)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in environments.items()}
    needs = needs_of(specs, cpu=wishes.cpu)
    plan = _plan(specs, trees, hashes, needs, wishes, home, target)
    return Draft(plan, specs, trees, {hashes[name]: content for name, content in environments.items()})


def _read_environments(specs: Sequence[JobSpec], target: Target) -> dict[str, bytes]:
    """Return by job what is to be installed for it: what it names, else what the target gives to all."""
    contents = {
        spec.name: spec.environment.read_bytes() if spec.environment else target.stack for spec in specs
    }
    return {name: content for name, content in contents.items() if content is not None}


def _plan(
    specs: tuple[JobSpec, ...],
    trees: Mapping[str, Tree],
    hashes: Mapping[str, str],
    needs: MachineNeeds,
    wishes: Wishes,
    home: Path | None,
    target: Target,
) -> Plan:
    plan = partial(
        make_plan,
        specs,
        trees=trees,
        environments=hashes,
        beginnings={spec.name: _read_beginning(spec, trees[spec.name]) for spec in specs},
        fleet=target.fleet(needs),
        needed=wishes.needed,
        slots=wishes.slots,
        on=target.name,
        cpu=wishes.cpu,
    )
    first = plan()
    # Only the states of runs with these contents are read, however many batches there have been.
    known = finished_runs(home, contents={run.content for run in first.runs}) if home else ()
    if home is None or not known:
        return first
    finished = tuple(FinishedRun(*run) for run in known)
    return plan(finished=finished, epoch_s=_read_epochs(first, finished, home))


def _read_epochs(plan: Plan, finished: Sequence[FinishedRun], home: Path) -> dict[str, float]:
    """Return how long an epoch took in one earlier run of each job, where it had any."""
    names_of = {run.content: plan.jobs[run.job].name for run in plan.runs}
    one_each = {names_of[run.content]: run for run in reversed(finished)}  # of several, from the newest batch
    places = {name: home / names.BATCHES / run.batch / names.RUNS / run.run for name, run in one_each.items()}
    found = {name: read_epoch_s(place) for name, place in places.items()}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def _read_beginning(spec: JobSpec, tree: Tree) -> Beginning:
    files = {entry.path for entry in tree.entries if entry.kind == "file"}

    def read(path: str) -> bytes | None:
        return (spec.folder / path).read_bytes() if path in files else None

    return read_beginning(spec.run, files=files, read=read)
