"""What is true about each run: kept in memory, written durably, told to the journal."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.batch import Outcome, encode_state, explain_os_error, spoil, utc_now
from launcher.runner.disk import hash_bytes, hash_file
from launcher.runner.queue import Queue
from launcher.runner.workspace import list_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launcher.runner.batch import Batch
    from launcher.runner.disk import Disk, Files, Journal

_NEVER = 1_000_000
_EMPTY = hash_bytes(b"")


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
        self._failures: dict[int, int] = {}
        self.queue = _make_queue(batch, on_disk)

    def runs_in(self, *wanted: str) -> list[int]:
        """Return the runs that are in one of these states."""
        return [run for run, state in enumerate(self.queue.states) if state in wanted]

    def attempt(self, run: int) -> int:
        """Return the number of a run's latest attempt, 0 before the first."""
        return self._attempts.get(run, 0)

    def failures(self, run: int) -> int:
        """Return how often a run failed since somebody asked for it; interruptions do not count."""
        return self._failures.get(run, 0)

    def remember_failures(self, by_id: Mapping[str, int]) -> None:
        """Take over what a predecessor counted."""
        if by_id:
            runs = enumerate(self._batch.runs)
            self._failures = {i: by_id[run["id"]] for i, run in runs if run["id"] in by_id}

    def forbid_retry(self, run: int) -> None:
        """Never retry a run by itself."""
        self._failures[run] = _NEVER

    def begin(self, run: int) -> None:
        """Say durably that another attempt of a run, from 1, runs."""
        self.count_attempt(run)
        self._save(run, Outcome(names.RUNNING, None, None, None), ended_at=None)

    def count_attempt(self, run: int) -> None:
        """Count another attempt of a run, which its next state will tell."""
        self._attempts[run] = self.attempt(run) + 1
        self._started_at[run] = utc_now()

    def finish(self, run: int, outcome: Outcome, *, retries: int = 0) -> None:
        """Say durably how a run ended, after everything that it left is on disk itself.

        Args:
            outcome: how it ended; a success is a failure where the results could not be made durable.
            retries: how many failures are followed by another attempt. A run that will be tried again is
                queued in the same breath, so that no crash can come in between.
        """
        folder, now = self._batch.run_path(run), utc_now()
        results = list_results(folder)
        try:
            files = self._sync_results(folder, results)
        except OSError as error:
            files = self._hash(folder, results)
            outcome = spoil(outcome, explain_os_error("its results could not be made durable", error))
        if outcome.state in names.RETRIED:
            self._failures[run] = self.failures(run) + 1
        reason = f"attempt {self.attempt(run)}: {outcome.reason}"
        is_retry = outcome.state in names.RETRIED and self.failures(run) <= retries
        queued = Outcome(names.QUEUED, None, None, reason)
        state = self._save(run, queued if is_retry else outcome, ended_at=None if is_retry else now)
        with contextlib.suppress(OSError):  # a full disk has no room for the folder itself
            self._disk.sync(folder)
            self._disk.sync(os.path.dirname(folder))
        self._journal.append(
            at=now,
            event="ended",
            run=self._batch.runs[run]["id"],
            attempt=self.attempt(run),
            **outcome._asdict(),
            files={} if run in self._unsaved else {**files, names.STATE: hash_bytes(state)},
        )
        if is_retry:
            self._tell_requeued(run, is_retry=True, reason=reason)

    def requeue(self, run: int) -> None:
        """Put a run back into the queue; unless it was interrupted, its failures so far are forgiven."""
        if self.queue.states[run] != names.INTERRUPTED:
            self._failures.pop(run, None)
        self._save(run, Outcome(names.QUEUED, None, None, None), ended_at=None)
        self._tell_requeued(run, is_retry=False, reason=None)

    def save_again(self) -> bool:
        """Write what could not be written before. Returns: whether everything is on disk."""
        for run, content in tuple(self._unsaved.items()):
            self._write(run, content)
        return not self._unsaved

    def hash_results(self, run: int) -> Files:
        """Return size and sha256 of each file that a run left, by its path in the run's folder."""
        folder = self._batch.run_path(run)
        return self._hash(folder, list_results(folder))

    def _tell_requeued(self, run: int, *, is_retry: bool, reason: str | None) -> None:
        planned = self._batch.runs[run]
        self._journal.append(
            at=utc_now(), event="requeued", run=planned["id"], is_retry=is_retry, reason=reason
        )

    def _sync_results(self, folder: str, results: dict[str, int]) -> Files:
        files: Files = {}
        for name in (names.RUN, names.PARAMS):  # the manifest names them, too
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                files[name] = self._disk.sync_and_hash(f"{folder}/{name}")
        for path, size in results.items():
            files[path] = self._disk.sync_and_hash(f"{folder}/{path}") if size else _EMPTY
        for parent in {os.path.dirname(path) for path in results} - {""}:
            self._disk.sync(f"{folder}/{parent}")
        return files

    def _hash(self, folder: str, results: Iterable[str]) -> Files:
        found: Files = {}
        for path in (names.RUN, names.PARAMS, names.STATE, *results):
            with contextlib.suppress(OSError):  # a run that was never begun has no more than its state
                found[path] = hash_file(f"{folder}/{path}")
        return found

    def _save(self, run: int, outcome: Outcome, *, ended_at: str | None) -> bytes:
        content = encode_state(
            outcome,
            attempt=self.attempt(run),
            started_at=self._started_at.get(run),
            ended_at=ended_at,
        )
        self.queue.set_state(run, outcome.state)
        self._write(run, content)
        return content

    def _write(self, run: int, content: bytes) -> None:
        folder = self._batch.run_path(run)
        try:
            self._write_into(folder, content)
        except OSError:
            self._unsaved[run] = content
        else:
            self._unsaved.pop(run, None)

    def _write_into(self, folder: str, content: bytes) -> None:
        try:
            self._disk.replace(f"{folder}/{names.STATE}", content)
        except FileNotFoundError:  # it has no folder yet, or removed it
            os.makedirs(folder)
            self._disk.replace(f"{folder}/{names.STATE}", content)

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
