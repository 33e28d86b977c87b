"""Read a batch and the true state of every run: plan, states and runner, nothing else.

What a file says is not always so: a run whose state says "running" while its runner is dead is interrupted.
10,000 finished runs are read in about 0.1 s, so this module keeps to plain calls.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.results.files import whole, words
from launcher.results.life import look_at_runner
from launcher.results.plan_file import damaged, read_jobs, read_plan
from launcher.results.records import BatchRecord, JobRecord, RunnerRecord, RunRecord
from launcher.results.states import read_states
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

_UNFINISHED = frozenset({names.QUEUED, names.INTERRUPTED})
_BAD = frozenset({names.FAILED, names.TIMED_OUT, names.STALLED})


def read_batch(folder: Path, *, now: datetime, boot_id: str | None) -> BatchRecord:
    """Read a batch folder.

    Args:
        folder: the batch folder.
        now: the time, with its zone: tells how old a heartbeat is.
        boot_id: of this computer since its last start; None where that is unknown.

    Raises:
        UsageError: it is no batch, its plan is damaged, or a newer launcher wrote it.
    """
    plan = read_plan(folder)
    jobs = read_jobs(plan, folder)
    # The runner first: what a dead one left cannot change while it is read; what a living one writes is true.
    runner = look_at_runner(str(folder), now=now, boot_id=boot_id)
    runs, skipped = _read_all(plan, jobs, folder)
    if not runner.alive and any(run.state == names.RUNNING for run in runs):
        runner = look_at_runner(str(folder), now=now, boot_id=boot_id)  # one may have been started meanwhile
        runs = runs if runner.alive else _interrupt(runs, runner.gone)
    return BatchRecord(
        id=folder.name,
        folder=folder,
        state=judge(runs, runner),
        on=words(plan.get("on")) or "local",
        created_at=words(plan.get("created_at")),
        slots=whole(plan.get("slots")),
        jobs=jobs,
        runs=runs,
        skipped=skipped,
        notes=tuple(str(note) for note in plan.get("notes") or ()),
        runner=runner,
    )


def judge(runs: Iterable[RunRecord], runner: RunnerRecord) -> str:
    """Return the state of a batch: queued, running, succeeded, failed, interrupted or cancelled."""
    states = {run.state for run in runs}
    if names.RUNNING in states:
        return names.RUNNING
    if states & _UNFINISHED:
        return _judge_unfinished(runs, states, runner)
    if states & _BAD:
        return names.FAILED
    return names.CANCELLED if names.CANCELLED in states else names.SUCCEEDED


def _judge_unfinished(runs: Iterable[RunRecord], states: set[str], runner: RunnerRecord) -> str:
    is_untouched = states == {names.QUEUED} and not any(run.attempts for run in runs)
    if runner.alive:
        return names.QUEUED if is_untouched else names.RUNNING
    return names.QUEUED if is_untouched and not runner.started else names.INTERRUPTED


def _interrupt(runs: Sequence[RunRecord], reason: str) -> tuple[RunRecord, ...]:
    return tuple(
        run._replace(state=names.INTERRUPTED, reason=reason) if run.state == names.RUNNING else run
        for run in runs
    )


def _read_all(
    plan: Mapping[str, Any], jobs: Sequence[JobRecord], folder: Path
) -> tuple[tuple[RunRecord, ...], tuple[RunRecord, ...]]:
    try:
        return tuple(_read_runs(plan, jobs, str(folder))), _read_skipped(plan, jobs, folder)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise damaged(folder, f"a run cannot be read ({type(error).__name__}: {error})") from error


def _read_runs(plan: Mapping[str, Any], jobs: Sequence[JobRecord], batch: str) -> Iterable[RunRecord]:
    states = read_states(batch, [entry["id"] for entry in plan["runs"]])
    for entry in plan["runs"]:
        run, fold = entry["id"], entry.get("fold")
        job = jobs[entry["job"]]
        params = job.variants[entry["variant"]]
        if fold is not None:
            params = {**params, "fold": fold, "folds": job.folds}
        where = (run, job.name, entry["variant"], entry.get("repeat", 0), params, entry.get("seed"), fold)
        yield _make_run(where, states.get(run), f"{batch}/{names.RUNS}/{run}")


def _make_run(where: tuple[Any, ...], state: Mapping[str, Any] | None, place: str) -> RunRecord:
    if state is None:
        return RunRecord._make((*where, names.QUEUED, None, None, 0, None, None, None, place))
    get = state.get
    signal = get("signal")
    known = (
        state["state"],
        whole(get("exit_code")),
        signal if type(signal) is int else words(signal),
        whole(get("attempt")) or 0,
        words(get("started_at")),
        words(get("ended_at")),
        words(get("reason")),
    )
    return RunRecord._make((*where, *known, place))


def _read_skipped(plan: Mapping[str, Any], jobs: Sequence[JobRecord], folder: Path) -> tuple[RunRecord, ...]:
    by_name = {job.name: (job, planned.get("seed")) for job, planned in zip(jobs, plan["jobs"], strict=True)}
    return tuple(_make_skipped(entry, by_name, folder) for entry in plan.get("skipped") or ())


def _make_skipped(
    entry: Mapping[str, Any], jobs: Mapping[str, tuple[JobRecord, int | None]], folder: Path
) -> RunRecord:
    """Place a run of which the plan has the id: runs of a job go by repeat, then variant, then fold."""
    name, index, _ = entry["id"].rsplit("-", 2)
    job, seed = jobs[name]
    rest, fold = divmod(int(index), job.folds or 1)
    repeat, variant = divmod(rest, len(job.variants))
    folds = {"fold": fold, "folds": job.folds} if job.folds else {}
    params = {**job.variants[variant], **folds}
    own_seed = None if seed is None else seed + repeat
    where = (entry["id"], name, variant, repeat, params, own_seed, folds.get("fold"))
    place = folder.parent / Path(entry["batch"]).name / names.RUNS / Path(entry["run"]).name
    return _make_run(where, {"state": names.SUCCEEDED, "attempt": 1, "exit_code": 0}, str(place))
