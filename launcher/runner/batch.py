"""A frozen batch as the runner sees it: jobs, runs in order, folders, states on disk."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.runner import names
from launcher.runner.disk import read_json, read_lines, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

# What later runners read from the journal, and of which kind it has to be.
_EVENTS: dict[str, dict[str, type]] = {
    "started": {"run": str, "attempt": int, "pid": int},
    "ended": {"run": str, "attempt": int, "state": str, "files": dict},
    "requeued": {"run": str, "is_retry": bool},
}


class BatchError(Exception):
    """The batch can't be executed; its text is one line that says why."""


class Outcome(NamedTuple):
    """How an attempt ended."""

    state: str
    exit_code: int | None
    signal: int | None
    reason: str | None


class Batch:
    """What plan.json says.

    Args:
        folder: the batch folder, absolute.

    Raises:
        BatchError: no plan, or one written by a newer launcher.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.plan = _read_plan(folder)
        self.jobs: list[dict[str, Any]] = self.plan["jobs"]
        self.runs: list[dict[str, Any]] = self.plan["runs"]
        self.listings: dict[int, list[Any]] = {}

    def path(self, *parts: str) -> str:
        """Return a path in the batch folder."""
        return "/".join((self.folder, *parts))

    def run_path(self, run: int, *parts: str) -> str:
        """Return a path in the folder of a run."""
        return "/".join((self.folder, names.RUNS, self.runs[run]["id"], *parts))

    def job_of(self, run: int) -> dict[str, Any]:
        """Return the job that a run belongs to."""
        job: int = self.runs[run]["job"]
        return self.jobs[job]

    def params_of(self, run: int) -> dict[str, Any]:
        """Return a run's parameters: its variant's, and its fold where the job has folds."""
        job, planned = self.job_of(run), self.runs[run]
        folds = {} if job["folds"] is None else {"fold": planned["fold"], "folds": job["folds"]}
        return {**job["variants"][planned["variant"]], **folds}

    def listing_of(self, run: int) -> list[Any]:
        """Return what the snapshot of a run's job holds; read once a job."""
        job = self.runs[run]["job"]
        if job not in self.listings:
            self.listings[job] = list(read_lines(self.path(names.CODE, self.jobs[job]["name"] + ".jsonl")))
        return self.listings[job]

    def indexes_of(self, ids: list[str]) -> list[int]:
        """Return the indexes of runs by id; no id means all."""
        wanted = set(ids)
        return [i for i, run in enumerate(self.runs) if not wanted or run["id"] in wanted]

    def read_state(self, run: int) -> dict[str, Any]:
        """Return a run's state on disk; a run without one is queued."""
        state = read_json(self.run_path(run, names.STATE))
        is_whole = isinstance(state, dict) and isinstance(state.get("attempt"), int)
        if is_whole and state.get("state") in names.STATES:
            return dict(state)
        return {"state": names.QUEUED, "attempt": 0}

    def read_journal(self) -> Iterator[dict[str, Any]]:
        """Yield the events of runs; whatever else stands in the journal is passed over."""
        return filter(_is_whole, read_lines(self.path(names.EVENTS)))

    def describe(self, run: int, *, attempt: int) -> dict[str, Any]:
        """Return the content of run.json."""
        job, planned = self.job_of(run), self.runs[run]
        same = ("env", "environment", "limits", "metric", "mode", "stop_on_nan", "needs", "folds")
        return {
            **{key: planned[key] for key in ("id", "argv", "seed", "fold", "variant", "repeat")},
            **{key: job[key] for key in same},
            "job": job["name"],
            "params": self.params_of(run),
            "attempt": attempt,
            "rehearse": bool(self.plan.get("rehearse")),
            "note": job.get("note"),
            "backend": job.get("backend"),
            "fast": bool(job.get("fast")),  # older plans have none of these
            "stop_when": job.get("stop_when"),
            "checkpoint_s": job.get("checkpoint_s"),
        }


def spoil(outcome: Outcome, reason: str) -> Outcome:
    """Return a success as a failure; anything else stays what it was, with one more reason."""
    if outcome.state == names.SUCCEEDED:
        return outcome._replace(state=names.FAILED, reason=reason)
    return outcome._replace(reason=f"{outcome.reason}; {reason}")


def explain_os_error(what: str, error: OSError) -> str:
    """Return a reason; a full disk is called by its name."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {what}"
    return f"{what}: {error.strerror}" + (f": {error.filename}" if error.filename else "")


def encode_state(outcome: Outcome, *, attempt: int, started_at: str | None, ended_at: str | None) -> bytes:
    """Return the content of state.json."""
    return to_json(
        {
            "state": outcome.state,
            "exit_code": outcome.exit_code,
            "signal": outcome.signal,
            "attempt": attempt,
            "started_at": started_at,
            "ended_at": ended_at,
            "reason": outcome.reason,
        }
    )


def utc_now() -> str:
    """Return the time, UTC, ISO 8601 with microseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _is_whole(event: dict[str, Any]) -> bool:
    kinds = _EVENTS.get(str(event.get("event")))
    return kinds is not None and all(isinstance(event.get(key), kind) for key, kind in kinds.items())


def _read_plan(folder: str) -> dict[str, Any]:
    plan = read_json(os.path.join(folder, names.PLAN))
    if not isinstance(plan, dict) or not isinstance(plan.get("schema"), int):
        raise BatchError(f"{folder} holds no readable {names.PLAN}")
    if plan["schema"] > names.SCHEMA:
        raise BatchError(f"{folder} was made by a newer launcher (schema {plan['schema']})")
    return plan
