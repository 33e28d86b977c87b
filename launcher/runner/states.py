"""What is true about each run: kept in memory, written durably, told to the journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.batch import Batch, Outcome, encode_state, utc_now
from launcher.runner.queue import Queue
from launcher.runner.workspace import hash_file, list_results

if TYPE_CHECKING:
    from launcher.runner.disk import Disk, Journal

_NO_MORE = 1_000_000


class States:
    """The one writer of state.json.

    Where one can't be written, because the disk is full, it is kept and written later; the old file
    stays readable.
    """

    def __init__(self, batch: Batch, *, disk: Disk, journal: Journal) -> None:
        self._batch, self._disk, self._journal = batch, disk, journal
        self._unsaved: dict[int, bytes] = {}
        on_disk = self._read_all()
        self._attempts: dict[int, int] = {run: state["attempt"] for run, state in on_disk.items()}
        self._started_at: dict[int, str | None] = {run: s.get("started_at") for run, s in on_disk.items()}
        self._tries: dict[int, int] = {}
        self.queue = _make_queue(batch, on_disk)

    def runs_in(self, *wanted: str) -> list[int]:
        """Return the runs that are in one of these states."""
        return [run for run, state in enumerate(self.queue.states) if state in wanted]

    def next_attempt(self, run: int) -> int:
        """Return the number that the next attempt of a run will have, from 1."""
        return self._attempts.get(run, 0) + 1

    def tries(self, run: int) -> int:
        """Return how often a run was tried since somebody asked for it; interruptions do not count."""
        return self._tries.get(run, 0)

    def use_up_tries(self, run: int) -> None:
        """Never retry a run by itself."""
        self._tries[run] = _NO_MORE

    def begin(self, run: int) -> int:
        """Say durably that a run runs. Returns: the number of the attempt, from 1."""
        number = self.next_attempt(run)
        self._attempts[run] = number
        self._tries[run] = self._tries.get(run, 0) + 1
        self._started_at[run] = utc_now()
        self._save(run, Outcome(names.RUNNING, None, None, None), ended_at=None)
        return number

    def finish(self, run: int, outcome: Outcome) -> None:
        """Say durably how a run ended, after everything that it left is on disk itself."""
        folder, now = self._batch.run_path(run), utc_now()
        results = list_results(folder)
        for path in results:
            if os.path.getsize(f"{folder}/{path}"):
                self._disk.sync(f"{folder}/{path}")
        self._save(run, outcome, ended_at=now)
        self._disk.sync(folder)
        self._disk.sync(os.path.dirname(folder))
        self._journal.append(
            at=now,
            event="ended",
            run=self._batch.runs[run]["id"],
            attempt=self._attempts.get(run, 0),
            **outcome._asdict(),
            files=self._hash(folder, results),
        )

    def requeue(self, run: int, reason: str | None, *, is_retry: bool = False) -> None:
        """Put a run back into the queue; only a retry counts against `retries`."""
        if not is_retry:
            self._tries.pop(run, None)
        self._save(run, Outcome(names.QUEUED, None, None, reason), ended_at=None)
        self._journal.append(
            at=utc_now(), event="requeued", run=self._batch.runs[run]["id"], is_retry=is_retry, reason=reason
        )

    def save_again(self) -> bool:
        """Write what could not be written before. Returns: whether everything is on disk."""
        for run, content in tuple(self._unsaved.items()):
            self._write(run, content)
        return not self._unsaved

    def hash_results(self, run: int) -> dict[str, tuple[int, str]]:
        """Return size and sha256 of each file that a run left, by its path in the run's folder."""
        folder = self._batch.run_path(run)
        return self._hash(folder, list_results(folder))

    def _hash(self, folder: str, results: list[str]) -> dict[str, tuple[int, str]]:
        own = [name for name in (names.RUN, names.PARAMS, names.STATE) if os.path.isfile(f"{folder}/{name}")]
        return {path: hash_file(f"{folder}/{path}") for path in own + results}

    def _save(self, run: int, outcome: Outcome, *, ended_at: str | None) -> None:
        content = encode_state(
            outcome,
            attempt=self._attempts.get(run, 0),
            started_at=self._started_at.get(run),
            ended_at=ended_at,
        )
        self.queue.set_state(run, outcome.state)
        self._write(run, content)

    def _write(self, run: int, content: bytes) -> None:
        folder = self._batch.run_path(run)
        try:
            if not os.path.isdir(folder):  # it has none yet, or removed it
                os.makedirs(folder)
            self._disk.replace(f"{folder}/{names.STATE}", content)
        except OSError:
            self._unsaved[run] = content
        else:
            self._unsaved.pop(run, None)

    def _read_all(self) -> dict[int, dict[str, Any]]:
        try:
            present = set(os.listdir(self._batch.path(names.RUNS)))
        except FileNotFoundError:
            return {}
        return {
            i: self._batch.read_state(i) for i, run in enumerate(self._batch.runs) if run["id"] in present
        }


def _make_queue(batch: Batch, on_disk: dict[int, dict[str, Any]]) -> Queue:
    present = {job["name"] for job in batch.jobs}
    return Queue(
        job_names=[job["name"] for job in batch.jobs],
        after=[[name for name in job["after"] if name in present] for job in batch.jobs],
        jobs=[run["job"] for run in batch.runs],
        states=[on_disk[i]["state"] if i in on_disk else names.QUEUED for i in range(len(batch.runs))],
    )
