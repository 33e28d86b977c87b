"""A trial: a run that succeeded on a GPU, once more from a warm worker. Nothing of it is kept but the answer.

Whether a driver bears being forked is not told from outside; whether the numbers come out the same is. So on
a GPU the runs of a job start afresh until one of them has given the same both ways, on this very machine.
"""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.runner import names, processes
from launcher.runner.batch import utc_now
from launcher.runner.disk import read_json
from launcher.runner.environment import marker_of
from launcher.runner.folders import remove_tree

if TYPE_CHECKING:
    from launcher.runner.attempt import Attempt
    from launcher.runner.batch import Batch
    from launcher.runner.disk import Journal
    from launcher.runner.queue import Queue
    from launcher.runner.workers import Workers

_SAVED_S = 5.0  # what a warm start saves: TensorFlow's imports, 3 s on a quick machine, 8 s on a slow one
_LONGEST = 3.0  # a trial that takes this much longer than the run did has hung
_START_S = 60.0
_TOLD_APART = "seconds"  # the one column of a history that no two runs share


class Trial(NamedTuple):
    """A run to try, and the time in seconds that it may take."""

    run: int
    limit_s: float


class Trials:
    """The trials of a batch: at most one a job, and only where it saves more time than it takes."""

    def __init__(self, batch: Batch, *, queue: Queue, workers: Workers, journal: Journal) -> None:
        self._batch, self._queue, self._workers, self._journal = batch, queue, workers, journal
        self._jobs: set[int] = set()
        self._wanted: list[Trial] = []

    def consider(self, attempt: Attempt, *, took_s: float) -> None:
        """Note a run that has succeeded, where trying it would help those that wait."""
        run, job = attempt.run, self._job(attempt.run)
        pays = took_s <= _SAVED_S * (1 + self._queue.count_of(job, names.QUEUED))  # the trial is warm, too
        is_first = job not in self._jobs and attempt.number == 1
        if not (pays and is_first and self._workers.is_untried(run, attempt.place)):
            return
        if os.path.exists(f"{attempt.folder}/{names.HISTORY}"):  # else nothing could be compared
            self._jobs.add(job)
            self._wanted.append(Trial(run, _START_S + _LONGEST * took_s))

    def next(self) -> Trial | None:
        """Return the trial whose turn it is."""
        return self._wanted[0] if self._wanted else None

    def take(self) -> Trial:
        """Take that trial off the list: it starts, or never will."""
        return self._wanted.pop(0)

    def helps(self, attempt: Attempt) -> bool:
        """Tell whether a run still waits for the answer."""
        return bool(self._queue.count_of(self._job(attempt.run), names.QUEUED))

    def judge(self, attempt: Attempt) -> None:
        """Say what a trial came to, and clear it away."""
        outcome = attempt.outcome()
        if outcome.state != names.SUCCEEDED:
            reason = f"a run that was tried warm ended otherwise: {outcome.reason}"
        elif not have_same_numbers(self._batch.run_path(attempt.run), attempt.folder):
            reason = "a run that was tried warm gave other numbers than afresh"
        else:
            reason = None
        self._journal.append(
            at=utc_now(), event="tried_warm", run=self._batch.runs[attempt.run]["id"], same=reason is None
        )
        if reason is None:
            self._workers.trust(attempt.run)
        else:
            self._workers.give_up(attempt.run, reason)
        remove_tree(attempt.folder)

    def _job(self, run: int) -> int:
        job: int = self._batch.runs[run]["job"]
        return job


def trial_folder(batch: Batch, run: int) -> str:
    """Return where a run is tried."""
    return batch.path(names.TRIALS, batch.runs[run]["id"])


def clear_trials(batch: Batch) -> None:
    """End what a predecessor left of its trials."""
    folder = batch.path(names.TRIALS)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        processes.end_at_once(marker=marker_of(f"{folder}/{name}"))
    remove_tree(folder)


def have_same_numbers(one: str, other: str) -> bool:
    """Tell whether two folders of one run hold the same epochs, at least one, and metrics, to the digit."""
    epochs = _read_epochs(one)
    metrics = (read_json(f"{folder}/{names.METRICS}") for folder in (one, other))
    return bool(epochs) and epochs == _read_epochs(other) and next(metrics) == next(metrics)


def _read_epochs(folder: str) -> list[dict[str, Any]]:
    try:
        with open(f"{folder}/{names.HISTORY}", encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):  # a run may have put anything there
        return []
    return [{key: row[key] for key in row if key != _TOLD_APART} for row in rows]
