"""Make a plan from checked jobs and from what is known of the world."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import UsageError
from launcher.plan.command import render_command
from launcher.plan.values import Plan, PlannedJob, PlannedRun
from launcher.plan.variants import Point, hash_params, make_variants, params_of, points, seed_of
from launcher.plan.warn import seed_note, warn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from launcher.plan.values import FinishedRun, Fleet
    from launcher.snapshot import Tree
    from launcher.spec import JobSpec, Value

_CONTENT_DIGITS = 32


class _Prepared(NamedTuple):
    """The parameters of a (variant, fold), and what follows from them alone."""

    params: Mapping[str, Value]
    hash: str


def make_plan(
    specs: Sequence[JobSpec],
    *,
    trees: Mapping[str, Tree],
    environments: Mapping[str, str],
    fleet: Fleet,
    finished: Collection[FinishedRun] = (),
    needed: bool = False,
    slots: int | None = None,
    on: str = "local",
    cpu: bool = False,
) -> Plan:
    """Decide what a batch is. The same input gives the same plan, byte for byte.

    Args:
        trees: what each job's folder holds, by job name.
        environments: sha256 of the requirements of jobs that name some, by job name.
        finished: runs that succeeded in earlier batches.
        needed: leave out runs of which one with equal content has succeeded.

    Raises:
        UsageError: a command names a parameter that is not there.
    """
    ordered = _order(specs)
    jobs = tuple(_plan_job(spec, trees[spec.name], environments.get(spec.name)) for spec in ordered)
    runs = tuple(
        run for index, spec in enumerate(ordered) for run in _plan_runs(index, spec, jobs[index], fleet)
    )
    known = {run.content: run for run in finished}
    already = tuple((run.id, known[run.content]) for run in runs if run.content in known)
    left_out = {run for run, _ in already} if needed else set()
    return Plan(
        on=on,
        slots=slots,
        cpu=cpu,
        batch_s=min((spec.limits.batch_s for spec in specs if spec.limits.batch_s is not None), default=None),
        usd=min((spec.limits.usd for spec in specs if spec.limits.usd is not None), default=None),
        jobs=jobs,
        runs=tuple(run for run in runs if run.id not in left_out),
        already=already,
        needed=needed,
        warnings=warn(specs, fleet=fleet, cpu=cpu),
        notes=tuple(dict.fromkeys(job.note for job in jobs if job.note)),
    )


def _order(specs: Sequence[JobSpec]) -> tuple[JobSpec, ...]:
    """Keep the given order, but put no job before one that it waits for."""
    ordered: dict[str, JobSpec] = {}
    waiting = list(specs)
    while waiting:
        ready = next(spec for spec in waiting if all(name in ordered for name in spec.after))
        ordered[ready.name] = ready
        waiting.remove(ready)
    return tuple(ordered.values())


def _plan_job(spec: JobSpec, tree: Tree, environment: str | None) -> PlannedJob:
    named = (
        {"file": spec.environment.name, "sha256": environment} if spec.environment and environment else None
    )
    return PlannedJob(
        name=spec.name,
        source=str(spec.source),
        run=spec.run,
        gpus=spec.needs.gpus,
        run_s=spec.limits.run_s,
        stall_s=spec.limits.stall_s,
        retries=spec.limits.retries,
        env=spec.env,
        environment=named,
        after=spec.after,
        metric=spec.metric,
        mode=spec.mode,
        stop_on_nan=spec.stop_on_nan,
        seed=spec.seed,
        repeats=spec.repeats,
        folds=spec.folds,
        code=_describe(tree),
        variants=make_variants(spec),
        note=seed_note(spec),
    )


def _describe(tree: Tree) -> dict[str, object]:
    left_out = [[found.path, found.reason] for found in tree.left_out]
    return {"sha256": tree.sha256, "files": tree.files, "bytes": tree.bytes, "left_out": left_out}


def _plan_runs(index: int, spec: JobSpec, job: PlannedJob, fleet: Fleet) -> Iterator[PlannedRun]:
    prepared: dict[tuple[int, int | None], _Prepared] = {}
    shared = _shared_content(job, fleet)
    for number, point in enumerate(points(spec, len(job.variants))):
        key = (point.variant, point.fold)
        if key not in prepared:
            prepared[key] = _prepare(spec, job, point)
        yield _plan_run(index, number, spec, point, prepared[key], shared)


def _prepare(spec: JobSpec, job: PlannedJob, point: Point) -> _Prepared:
    params = params_of(spec, job.variants[point.variant], point.fold)
    return _Prepared(params, hash_params(params))


def _plan_run(
    index: int, number: int, spec: JobSpec, point: Point, prepared: _Prepared, shared: str
) -> PlannedRun:
    seed = seed_of(spec, point.repeat)
    try:
        argv = render_command(spec.run, params=prepared.params, seed=seed)
    except UsageError as error:
        raise UsageError(f"{spec.source.name}: {error.what}", error.todo) from error
    text = json.dumps([shared, argv, prepared.params, seed], sort_keys=True)
    return PlannedRun(
        id=f"{spec.name}-{number:04d}-{prepared.hash}",
        job=index,
        variant=point.variant,
        repeat=point.repeat,
        seed=seed,
        fold=point.fold,
        argv=argv,
        content=hashlib.sha256(text.encode()).hexdigest()[:_CONTENT_DIGITS],
    )


def _shared_content(job: PlannedJob, fleet: Fleet) -> str:
    """Return what all runs of a job depend on: code with data, variables, environment."""
    environment = job.environment["sha256"] if job.environment else fleet.interpreter_hash
    return json.dumps([job.code["sha256"], dict(job.env), environment], sort_keys=True)
