"""The values that reading a batch folder gives. They hold what was found and read nothing themselves.

Named tuples, not dataclasses: importing dataclasses costs `status` 5 ms and a frozen one costs 2 us a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class RunRecord(NamedTuple):
    """One run as it truly is. Times are ISO 8601 texts in UTC, as they stand in state.json."""

    id: str
    job: str
    variant: int
    repeat: int
    params: Mapping[str, Any]
    seed: int | None
    fold: int | None
    state: str
    exit_code: int | None
    signal: int | str | None
    attempts: int
    started_at: str | None
    ended_at: str | None
    reason: str | None
    place: str

    @property
    def folder(self) -> Path:
        """Return the run's folder, which does not exist before the run has started."""
        from pathlib import Path  # noqa: PLC0415  # made when asked for: 10,000 of them cost 30 ms

        return Path(self.place)


class JobRecord(NamedTuple):
    """One job of a batch, as planned."""

    name: str
    metric: str | None
    mode: str | None
    variants: tuple[Mapping[str, Any], ...]
    repeats: int
    folds: int | None
    after: tuple[str, ...]


class RunnerRecord(NamedTuple):
    """What is known of a runner. `gone` says why it counts as dead; it is empty while the runner lives.

    `seen_at` is when that was seen, of a batch on another computer; `is_coming` while its submit is at work.
    """

    started: bool
    alive: bool
    pid: int | None
    version: str | None
    heartbeat_at: str | None
    gone: str
    seen_at: str | None = None
    is_coming: bool = False


class BatchRecord(NamedTuple):
    """A batch with all its runs. `skipped` had succeeded in earlier batches, and their folders are there."""

    id: str
    folder: Path
    state: str
    on: str
    created_at: str | None
    slots: int | None
    jobs: tuple[JobRecord, ...]
    runs: tuple[RunRecord, ...]
    skipped: tuple[RunRecord, ...]
    notes: tuple[str, ...]
    runner: RunnerRecord

    @property
    def started_at(self) -> str | None:
        """Return when the first run started."""
        return min((run.started_at for run in self.runs if run.started_at), default=None)

    @property
    def ended_at(self) -> str | None:
        """Return when the last run ended so far."""
        return max((run.ended_at for run in self.runs if run.ended_at), default=None)


class FoundRun(NamedTuple):
    """Where a run is: its batch folder and its id."""

    batch: Path
    run: str
