"""Try every job once on this CPU, one batch of one epoch, in a folder that is thrown away."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.backends import check_backends
from launcher.freeze import freeze
from launcher.nodes.local import LocalNode
from launcher.report.estimate import duration_s
from launcher.results.batch import read_batch
from launcher.results.history import count_epochs
from launcher.results.log import LogTail
from launcher.runner import names
from launcher.runner.folders import remove_tree
from launcher.settings.home import make_home
from launcher.steer import cancel, install_environment, start_runner, wait_for_runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from random import Random

    from launcher.draft import Draft
    from launcher.results.records import BatchRecord, RunRecord

_EVERY_S = 0.2
_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What became of one job.

    Attributes:
        state: as a run's.
        seconds: how long it took.
        epochs: how many epochs hooks saw; 0 where the job is no Keras script.
        outputs: how many files it left.
        last_lines: the end of its log.
    """

    job: str
    state: str
    reason: str | None
    seconds: float
    epochs: int
    outputs: int
    last_lines: tuple[str, ...]


def rehearse(
    draft: Draft,
    *,
    environments: Path | None,
    limit_s: float,
    random: Random,
    now: Callable[[], datetime],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    boot_id: str | None,
) -> Iterator[Rehearsed]:
    """Rehearse the first run of every job; yield each job when it is over.

    Args:
        environments: where installed environments lie, to be used and added to.
        limit_s: the longest that one job may take, in seconds.

    Raises:
        NodeError: an environment could not be installed, or nothing could be started.
    """
    with _throw_away() as home:
        node = LocalNode(home)
        batch = freeze(_shorten(draft, limit_s), home=home, now=now(), random=random, rehearse=True)
        if environments:
            environments.mkdir(parents=True, exist_ok=True)
            (home / names.ENVIRONMENTS).symlink_to(environments.resolve())
        for sha256 in draft.requirements:
            install_environment(node, batch.name, sha256=sha256)
        check_backends(draft.plan, node)
        try:
            start_runner(node, batch.name)
            wait_for_runner(batch, now=now, clock=clock, sleep=sleep, boot_id=boot_id)
            yield from _watch(batch, now=now, sleep=sleep, boot_id=boot_id)
        finally:
            _end(node, batch, now=now, clock=clock, sleep=sleep, boot_id=boot_id)


@contextmanager
def _throw_away() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="launcher-rehearse-")
    try:
        yield make_home(Path(folder) / ".launcher")
    finally:
        remove_tree(folder)


def _shorten(draft: Draft, limit_s: float) -> Draft:
    """Keep the first run of each job, alone and with no second chance, on the CPU."""
    plan = draft.plan
    first = {run.job: run for run in reversed(plan.runs)}
    jobs = tuple(dataclasses.replace(job, limits=_limit(job.limits, limit_s), after=()) for job in plan.jobs)
    runs = tuple(first[index] for index in sorted(first))
    slots = max(1, (os.cpu_count() or 1) // 2)
    return dataclasses.replace(
        draft, plan=dataclasses.replace(plan, jobs=jobs, runs=runs, slots=slots, cpu=True, skipped=())
    )


def _limit(limits: dict[str, float | int | None], limit_s: float) -> dict[str, float | int | None]:
    return {"run_s": min(limit_s, limits["run_s"] or limit_s), "stall_s": None, "retries": 0}


def _watch(
    batch: Path, *, now: Callable[[], datetime], sleep: Callable[[float], None], boot_id: str | None
) -> Iterator[Rehearsed]:
    told: set[str] = set()
    while True:
        record = read_batch(batch, now=now(), boot_id=boot_id)
        for run in record.runs:
            if run.state not in names.OPEN and run.id not in told:
                told.add(run.id)
                yield _describe(run, record)
        if record.state not in names.OPEN:
            return
        sleep(_EVERY_S)


def _describe(run: RunRecord, batch: BatchRecord) -> Rehearsed:
    folder = batch.folder / names.RUNS / run.id
    lines = LogTail(folder / names.LOG).read_new().decode("utf-8", "replace").splitlines()
    outputs = sum(path.is_file() for path in (folder / names.OUTPUTS).rglob("*"))
    return Rehearsed(
        job=run.job,
        state=run.state,
        reason=run.reason,
        seconds=duration_s(run) or 0.0,
        epochs=count_epochs(folder),
        outputs=outputs,
        last_lines=tuple(lines[-_LAST_LINES:]),
    )


def _end(
    node: LocalNode,
    batch: Path,
    *,
    now: Callable[[], datetime],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    boot_id: str | None,
) -> None:
    """Leave nothing running, also when the watching was broken off, or never began."""
    wait_for_runner(batch, now=now, clock=clock, sleep=sleep, boot_id=boot_id)
    if read_batch(batch, now=now(), boot_id=boot_id).runner.alive:
        cancel(node, batch.name)
    while read_batch(batch, now=now(), boot_id=boot_id).runner.alive:
        sleep(_EVERY_S)
