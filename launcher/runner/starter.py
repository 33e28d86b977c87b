"""Make a run's folder ready and start its process. Writes what the run reads, no state."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from launcher.runner import names, processes
from launcher.runner.attempt import Attempt
from launcher.runner.batch import utc_now
from launcher.runner.disk import to_json, unlink, write_file
from launcher.runner.environment import Environments
from launcher.runner.folders import remove_tree
from launcher.runner.spawn import spawn
from launcher.runner.trial import trial_folder
from launcher.runner.workers import Workers
from launcher.runner.workspace import Workspaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.runner.batch import Batch
    from launcher.runner.disk import Journal
    from launcher.runner.queue import Queue
    from launcher.runner.slots import Place
    from launcher.runner.trial import Trial


class Starter:
    """Prepare runs, also ahead of their time, and start them.

    Args:
        gpus: all GPUs that runs may see.
        python: the interpreter of jobs that name no environment.
        grace_s: the time between SIGTERM and SIGKILL.
        hang_s: how long a warm run may do nothing in its first batch.
    """

    def __init__(
        self,
        batch: Batch,
        *,
        queue: Queue,
        journal: Journal,
        gpus: tuple[str, ...],
        python: str,
        grace_s: float,
        hang_s: float,
    ) -> None:
        self._batch, self._journal, self._grace_s, self._hang_s = batch, journal, grace_s, hang_s
        self._environments = Environments(batch, gpus=gpus, python=python)
        self.workers = Workers(batch, self._environments, queue=queue, journal=journal)
        self.workspaces = Workspaces(batch)
        self._prepared: set[int] = set()

    def prepare(self, run: int, *, number: int) -> None:
        """Write the run's inputs and its own copy of the code; without effect where that is done.

        Raises:
            OSError: the folder could not be made, on a full disk for example.
        """
        if run in self._prepared:
            return
        folder = self._batch.run_path(run)
        is_new = _make_folders(folder)
        self._write_inputs(run, folder, number=number)
        if not is_new:
            unlink(f"{folder}/{names.VERDICT}")
            unlink(f"{folder}/{names.FITTING}")
        self.workspaces.give(run, is_new=is_new)
        self._prepared.add(run)

    def start(self, run: int, *, number: int, place: Place, now: float) -> Attempt:
        """Start a prepared run.

        Raises:
            OSError: there is no such program, or no room.
            ValueError: an argument holds a NUL.
        """
        self._prepared.remove(run)
        limits = self._batch.job_of(run)["limits"]
        attempt = Attempt(
            run,
            number=number,
            place=place,
            folder=self._batch.run_path(run),
            run_s=limits["run_s"],
            stall_s=limits["stall_s"],
            grace_s=self._grace_s,
        )
        is_warm = False

        def launch(stream: int) -> int:
            nonlocal is_warm
            pid = self.workers.fork(run, place, stream)
            is_warm = pid is not None
            return self._spawn(run, place, stream) if pid is None else pid

        _begin(attempt, launch, now=now)
        if is_warm:
            attempt.watch_for_hang(self._hang_s)
        self._tell(run, attempt)
        return attempt

    def try_warm(self, trial: Trial, *, place: Place, now: float) -> Attempt | None:
        """Start a run once more, from a worker and in a folder of its own.

        Returns: None where that can't be had.
        """
        folder = trial_folder(self._batch, trial.run)
        try:
            _make_folders(folder)
            self._write_inputs(trial.run, folder, number=1)
            self.workspaces.copy(trial.run, f"{folder}/{names.WORK}")
            return self._start_trial(trial, folder, place=place, now=now)
        except OSError:
            remove_tree(folder)
            return None

    def _start_trial(self, trial: Trial, folder: str, *, place: Place, now: float) -> Attempt:
        attempt = Attempt(
            trial.run,
            number=1,
            place=place,
            folder=folder,
            run_s=trial.limit_s,
            stall_s=None,
            grace_s=self._grace_s,
            is_trial=True,
        )

        def launch(stream: int) -> int:
            pid = self.workers.fork(trial.run, place, stream, trial=folder)
            if pid is None:
                raise OSError(errno.ECHILD, "no worker")
            return pid

        _begin(attempt, launch, now=now)
        attempt.watch_for_hang(self._hang_s)
        return attempt

    def _write_inputs(self, run: int, folder: str, *, number: int) -> None:
        write_file(f"{folder}/{names.RUN}", to_json(self._batch.describe(run, attempt=number)))
        write_file(f"{folder}/{names.PARAMS}", to_json(self._batch.params_of(run)))

    def _spawn(self, run: int, place: Place, stream: int) -> int:
        cwd, environment = self._batch.run_path(run, names.WORK), self._environments.of(run, place)
        return spawn(self._batch.runs[run]["argv"], cwd=cwd, environment=environment, stream=stream)

    def forget(self, run: int) -> None:
        """Remove what was prepared for a run that will not start."""
        self._prepared.discard(run)
        self.workspaces.drop(run)

    def forget_all(self) -> None:
        """Remove whatever is prepared."""
        self._prepared.clear()
        self.workspaces.drop_all()
        remove_tree(self._batch.path(names.TRIALS))
        self.workers.end_all()

    def _tell(self, run: int, attempt: Attempt) -> None:
        process = processes.find_process(attempt.pid)
        self._journal.append(
            at=utc_now(),
            event="started",
            run=self._batch.runs[run]["id"],
            attempt=attempt.number,
            pid=attempt.pid,
            pid_started=process and process.started,
            **({} if attempt.hang is None else {"warm": True}),
        )


def _begin(attempt: Attempt, launch: Callable[[int], int], *, now: float) -> None:
    try:
        attempt.start(launch, now=now)
    except (OSError, ValueError):
        attempt.close()
        raise


def _make_folders(folder: str) -> bool:
    """Make a run's folder, and the one for outputs. Returns: whether there was none."""
    try:
        os.mkdir(folder)
        os.mkdir(f"{folder}/{names.OUTPUTS}")
    except OSError:
        os.makedirs(f"{folder}/{names.OUTPUTS}", exist_ok=True)
        return False
    return True
