"""Which run starts from which warm worker: one worker an interpreter, environment and list of imports.

A worker is started where at least two starts are to come that it could serve, a retry among them, and ended
when none is. Where one can't be had, or was seen not to work, runs start afresh: nothing depends on it but
time.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import sys
from typing import TYPE_CHECKING, NamedTuple

from launcher.runner import names
from launcher.runner.batch import utc_now
from launcher.runner.plain import Plain, read_plain
from launcher.runner.worker import Launch, Worker, WorkerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from launcher.runner.batch import Batch
    from launcher.runner.disk import Journal
    from launcher.runner.environment import Environments
    from launcher.runner.queue import Queue
    from launcher.runner.slots import Place

_FEWEST = 2  # one start is done sooner afresh


class Recipe(NamedTuple):
    """What a worker is made of."""

    python: str
    environment: tuple[tuple[str, str], ...]
    imports: str
    variables: str


class Workers:
    """The workers of a batch.

    Args:
        queue: tells how many runs wait.
        make: starts a worker.
    """

    def __init__(
        self,
        batch: Batch,
        environments: Environments,
        *,
        queue: Queue,
        journal: Journal,
        make: Callable[..., Worker] = Worker,
    ) -> None:
        self._batch, self._environments = batch, environments
        self._queue, self._journal, self._make = queue, journal, make
        self._selector: selectors.BaseSelector
        self._recipes: dict[tuple[int, str, Place], Recipe | None] = {}
        self._workers: dict[Recipe, Worker] = {}
        self._leaving: list[Worker] = []
        self._off: set[Recipe] = set()
        self._fresh_jobs: set[int] = set()
        self._trusted_jobs: set[int] = set()

    def listen_with(self, selector: selectors.BaseSelector) -> None:
        """Have what workers say read by whoever waits on this."""
        self._selector = selector

    @property
    def pids(self) -> AbstractSet[int]:
        """The processes of workers, those included that die just now."""
        return {worker.pid for worker in self._all()}

    def is_settled(self, run: int, place: Place, *, is_trial: bool = False) -> bool:
        """Tell whether a run may start now, be it from a worker or afresh; else its worker is on the way."""
        recipe = self._recipe_of(run, place, is_trial=is_trial)
        if recipe is None or recipe in self._off:
            return True
        if recipe not in self._workers:
            if self._count_to_come(recipe, place) < _FEWEST:
                return True
            self._start(recipe)
        return recipe in self._off or self._workers[recipe].check()

    def fork(self, run: int, place: Place, stream: int, *, trial: str | None = None) -> int | None:
        """Have a run's process forked. Returns: its pid, None where the run is to be started afresh.

        Args:
            trial: the folder of a run that is tried.
        """
        recipe = self._recipe_of(run, place, is_trial=trial is not None)
        worker = None if recipe is None else self._workers.get(recipe)
        if worker is None or not worker.is_ready:
            return None
        own = worker.modules & set(self._batch.job_of(run)["warm"]["own"])
        if own:
            self.give_up(run, f"packages would find {', '.join(sorted(own))} in its folder")
            return None
        argv = self._batch.runs[run]["argv"]
        folder = trial or self._batch.run_path(run)
        launch = Launch(argv, f"{folder}/{names.WORK}", self._environments.own(run, folder))
        try:
            return worker.fork(launch, stream)
        except WorkerError:
            return None

    def is_untried(self, run: int, place: Place) -> bool:
        """Tell whether only a trial can say if a run may start from a worker."""
        return not self._is_trusted(run, place) and self._recipe_of(run, place, is_trial=True) is not None

    def trust(self, run: int) -> None:
        """Start all further runs of this job from workers, on GPUs as well."""
        self._trusted_jobs.add(self._batch.runs[run]["job"])

    def give_up(self, run: int, reason: str) -> None:
        """Start all further runs of this job afresh."""
        self._fresh_jobs.add(self._batch.runs[run]["job"])
        self._tell(reason)

    def end_idle(self) -> None:
        """End the workers from which nothing more will start."""
        for recipe in tuple(self._workers):
            if not self._count_to_come(recipe, None):
                self._end(recipe)

    def take_ended(self) -> dict[int, int]:
        """Return the statuses of forked processes that ended, by pid; part with workers that can't go on."""
        ended: dict[int, int] = {}
        for worker in self._all():
            ended |= worker.ended
            worker.ended.clear()
            if worker.is_over and worker.is_gone and worker in self._leaving:
                self._part_with(worker)
        for recipe, worker in tuple(self._workers.items()):
            if worker.obstacle is not None:
                self._off.add(recipe)
                self._tell(worker.obstacle)
                self._end(recipe)
        return ended

    def reaped(self, pid: int) -> None:
        """Say that one of our children is gone; it may be a worker."""
        for worker in self._all():
            if worker.pid == pid:
                worker.is_gone = True

    def end_all(self) -> None:
        """End every worker, and wait until it is gone."""
        for recipe in tuple(self._workers):
            self._end(recipe)
        for worker in tuple(self._leaving):
            with contextlib.suppress(ChildProcessError):  # it was reaped
                os.waitpid(worker.pid, 0)
            self._part_with(worker)

    def _start(self, recipe: Recipe) -> None:
        try:
            worker = self._make(
                recipe.python,
                environment=dict(recipe.environment),
                imports=json.loads(recipe.imports),
                variables=json.loads(recipe.variables),
            )
        except OSError as error:
            self._off.add(recipe)
            self._tell(f"it could not be started: {error}")
            return
        self._workers[recipe] = worker
        self._selector.register(worker.socket, selectors.EVENT_READ, worker.read)

    def _end(self, recipe: Recipe) -> None:
        worker = self._workers.pop(recipe)
        worker.end()
        self._leaving.append(worker)

    def _part_with(self, worker: Worker) -> None:
        self._selector.unregister(worker.socket)
        worker.socket.close()
        self._leaving.remove(worker)

    def _all(self) -> list[Worker]:
        return [*self._workers.values(), *self._leaving]

    def _is_trusted(self, run: int, place: Place) -> bool:
        return not place.gpus or self._batch.runs[run]["job"] in self._trusted_jobs

    def _count_to_come(self, recipe: Recipe, place: Place | None) -> int:
        if place is not None:  # every job that could come from the same worker counts
            for job in range(len(self._batch.jobs)):
                self._recipe(job, recipe.python, place)
        jobs = {job for (job, *_), other in self._recipes.items() if other == recipe} - self._fresh_jobs
        return sum(self._starts_to_come(job) for job in jobs)

    def _starts_to_come(self, job: int) -> int:
        """Return how many runs of a job wait, and one more where a run of it may have to be tried again."""
        waiting, running = (self._queue.count_of(job, state) for state in (names.QUEUED, names.RUNNING))
        may_retry = bool(self._batch.jobs[job]["limits"]["retries"] and waiting + running)
        return waiting + may_retry

    def _recipe_of(self, run: int, place: Place, *, is_trial: bool) -> Recipe | None:
        if not (is_trial or self._is_trusted(run, place)):
            return None
        job = self._batch.runs[run]["job"]
        plain = None if job in self._fresh_jobs else _plain(self._batch, run)
        return self._recipe(job, plain.words[0], place) if plain else None

    def _recipe(self, job: int, python: str, place: Place) -> Recipe | None:
        key = (job, python, place)
        if key not in self._recipes:
            self._recipes[key] = self._make_recipe(job, python, place)
        return self._recipes[key]

    def _make_recipe(self, job: int, python: str, place: Place) -> Recipe | None:
        """Return what the worker of a job is made of; None where there can't be one."""
        warm = self._batch.jobs[job].get("warm") or {}
        if not warm.get("imports") or sys.platform != "linux":
            return None
        environment = self._environments.common(job, place)
        if not environment["PYTHONHASHSEED"].isdigit() or not _is_everywhere(environment["PYTHONPATH"]):
            return None
        what = (json.dumps(warm[key]) for key in ("imports", "variables"))
        return Recipe(python, tuple(sorted(environment.items())), *what)

    def _tell(self, reason: str) -> None:
        self._journal.append(at=utc_now(), event="no_worker", reason=reason)


def _plain(batch: Batch, run: int) -> Plain | None:
    warm = batch.job_of(run).get("warm") or {}
    return read_plain(batch.runs[run]["argv"]) if warm.get("imports") else None


def _is_everywhere(path: str) -> bool:
    """Tell whether a search path leads to the same folders from everywhere."""
    return all(os.path.isabs(entry) for entry in path.split(os.pathsep))
