"""Decide what a submission will do. Pure: the same input gives the same plan, byte for byte.

What is true of the world (trees, environments, machines, finished runs) is given. The cost is linear in
runs: what the runs of a job, or of a variant and fold, have in common is worked out once.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import UsageError
from launcher.plan import notes
from launcher.plan.beginning import Beginning
from launcher.plan.ceiling import DEFAULT_BATCH_S, needs_of
from launcher.plan.command import Command, read_command
from launcher.plan.content import Contents, ParamsContent
from launcher.plan.packing import explain_packing
from launcher.plan.values import (
    FinishedRun,
    Fleet,
    Plan,
    PlannedJob,
    PlannedRun,
    SkippedRun,
    with_fold,
)
from launcher.plan.variants import expand_grid, order_jobs, points, seed_of
from launcher.plan.warm import check_backend, plan_warm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from launcher.snapshot import Tree
    from launcher.spec import JobSpec, Value


EC2 = "ec2"
STACK = "launcher's own stack"


def make_plan(
    specs: Sequence[JobSpec],
    *,
    trees: Mapping[str, Tree],
    environments: Mapping[str, str],
    fleet: Fleet,
    beginnings: Mapping[str, Beginning] | None = None,
    finished: Collection[FinishedRun] = (),
    epoch_s: Mapping[str, float] | None = None,
    needed: bool = False,
    slots: int | None = None,
    on: str = "local",
    cpu: bool = False,
) -> Plan:
    """Plan the jobs of a batch.

    Args:
        specs: jobs that go together, as `load_jobs` returns them.
        trees: what was scanned, by job name.
        environments: hashes of the environments, by job name, of the jobs that have one.
        beginnings: what scripts do first, by job name, of the jobs whose script could be read.
        finished: runs that succeeded before.
        epoch_s: how long an epoch took in earlier runs of the same content, by job name.
        needed: whether to skip runs whose content is among `finished`.

    Raises:
        UsageError: a command names what its job does not have, or there are too few GPUs.
    """
    ordered = order_jobs(specs)
    jobs = tuple(
        _plan_job(
            spec,
            tree=trees[spec.name],
            environment=environments.get(spec.name),
            beginning=(beginnings or {}).get(spec.name, Beginning()),
        )
        for spec in ordered
    )
    hashes = {spec.name: fleet.interpreter_hash for spec in ordered} | dict(environments)
    runs = _plan_all_runs(ordered, jobs, environments=hashes)
    skipped = _find_finished(runs, finished)
    needs = needs_of(ordered, cpu=cpu)
    skipped_ids = {run.id for run in skipped} if needed else set()
    return Plan(
        on=on,
        slots=slots,
        cpu=cpu,
        batch_s=DEFAULT_BATCH_S if on == EC2 and needs.batch_s is needs.usd is None else needs.batch_s,
        usd=needs.usd,
        jobs=jobs,
        runs=tuple(run for run in runs if run.id not in skipped_ids),
        skipped=skipped if needed else (),
        warnings=_warnings(ordered, trees=trees, fleet=fleet, on=on, cpu=cpu),
        fleet=fleet,
        finished=len(skipped),
        needs=needs if on == EC2 else None,
        packing=explain_packing(ordered, fleet=fleet, slots=slots, cpu=cpu),
        advice=notes.advise_fast(ordered, epoch_s=epoch_s or {}),
    )


def _plan_job(spec: JobSpec, *, tree: Tree, environment: str | None, beginning: Beginning) -> PlannedJob:
    check_backend(spec, beginning)
    limits = spec.limits
    return PlannedJob(
        name=spec.name,
        source=str(spec.source),
        run=spec.run,
        needs={"gpus": spec.needs.gpus},
        limits={"run_s": limits.run_s, "stall_s": limits.stall_s, "retries": limits.retries},
        env=dict(spec.env),
        environment=_environment(spec, environment),
        after=spec.after,
        metric=spec.metric,
        mode=spec.mode,
        stop_on_nan=spec.stop_on_nan,
        stop_when=None if spec.stop_when is None else asdict(spec.stop_when),
        fast=spec.fast,
        checkpoint_s=spec.checkpoint_s,
        seed=spec.seed,
        repeats=spec.repeats,
        folds=spec.folds,
        code=_code(tree),
        variants=expand_grid(spec),
        note=notes.seed_note(spec),
        warm=plan_warm(spec, beginning),
        backend=spec.backend,
    )


def _environment(spec: JobSpec, sha256: str | None) -> dict[str, str] | None:
    if sha256 is None:
        return None
    return {"file": spec.environment.name if spec.environment else STACK, "sha256": sha256}


def _code(tree: Tree) -> dict[str, object]:
    left_out = [[item.path, item.reason] for item in tree.left_out]
    return {"sha256": tree.sha256, "files": tree.files, "bytes": tree.bytes, "left_out": left_out}


def _plan_all_runs(
    specs: Sequence[JobSpec], jobs: Sequence[PlannedJob], *, environments: Mapping[str, str]
) -> tuple[PlannedRun, ...]:
    return tuple(
        run
        for index, (spec, job) in enumerate(zip(specs, jobs, strict=True))
        for run in _plan_runs(spec, job, index=index, environment=environments[spec.name])
    )


class _Shared(NamedTuple):
    """What the runs of one variant and fold have in common; without a named seed also their argv."""

    content: ParamsContent
    command: Command
    argv: tuple[str, ...]


def _plan_runs(spec: JobSpec, job: PlannedJob, *, index: int, environment: str) -> Iterator[PlannedRun]:
    command = _read_command(spec, job)
    contents = Contents(spec, code=job.code["sha256"], environment=environment)
    shared: dict[tuple[int, int | None], _Shared] = {}
    for number, point in enumerate(points(spec, variants=len(job.variants))):
        seed = seed_of(spec, repeat=point.repeat)
        key = (point.variant, point.fold)
        if key not in shared:
            params = with_fold(job.variants[point.variant], fold=point.fold, folds=job.folds)
            shared[key] = _share(spec, params, command=command, contents=contents)
        common = shared[key]
        yield PlannedRun(
            id=f"{spec.name}-{number:04d}-{common.content.digits}",
            job=index,
            variant=point.variant,
            repeat=point.repeat,
            seed=seed,
            fold=point.fold,
            argv=common.command.render(seed=seed) if common.command.has_places else common.argv,
            content=common.content.of_run(seed=seed, repeat=point.repeat),
        )


def _read_command(spec: JobSpec, job: PlannedJob) -> Command:
    names = tuple(job.variants[0])
    try:
        return read_command(
            spec.run, names=names, has_seed=spec.seed is not None, has_folds=spec.folds is not None
        )
    except UsageError as error:
        raise UsageError(f"{spec.place_of('run')}: {error.what}", error.todo) from error


def _share(spec: JobSpec, params: dict[str, Value], *, command: Command, contents: Contents) -> _Shared:
    filled = command.fill(params)
    try:
        return _Shared(contents.of_params(params), filled, filled.render(seed=spec.seed))
    except UsageError as error:  # of a parameter, wherever it comes from
        raise UsageError(f"{spec.source.name}: {error.what}", error.todo) from error


def _find_finished(runs: Sequence[PlannedRun], finished: Collection[FinishedRun]) -> tuple[SkippedRun, ...]:
    """Find the runs whose results are there; of several, the newest batch has them."""
    newest: dict[str, FinishedRun] = {}
    for done in sorted(finished, key=lambda done: (done.batch, done.run)):
        newest[done.content] = done
    found = ((run, newest.get(run.content)) for run in runs)
    return tuple(
        SkippedRun(run.id, run.content, done.batch, done.run) for run, done in found if done is not None
    )


def _warnings(
    specs: Sequence[JobSpec], *, trees: Mapping[str, Tree], fleet: Fleet, on: str, cpu: bool
) -> tuple[str, ...]:
    return (
        *notes.warn_of_gpus(specs, fleet=fleet, on=on, cpu=cpu),
        *notes.warn_of_seeds(specs),
        *notes.warn_of_python_flags(specs),
        *(line for spec in specs for line in notes.warn_of_size(spec, tree=trees[spec.name])),
    )
