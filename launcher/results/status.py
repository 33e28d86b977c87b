"""The stable form of a batch for scripts: what `status --json` prints. Keys are never changed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.results.history import count_epochs
from launcher.results.metrics import read_metrics
from launcher.runner import names

if TYPE_CHECKING:
    from launcher.results.records import BatchRecord, RunRecord


def status_json(batch: BatchRecord) -> dict[str, Any]:
    """Return a batch as JSON values; reads histories and metrics of the runs that have started."""
    return {
        "batch": batch.id,
        "state": batch.state,
        "on": batch.on,
        "runs": [_run_json(run) for run in batch.runs],
        "machine": None,
        "cost_usd": 0.0,
    }


def _run_json(run: RunRecord) -> dict[str, Any]:
    has_started = run.attempts > 0 or run.state != names.QUEUED
    return {
        "id": run.id,
        "job": run.job,
        "params": dict(run.params),
        "seed": run.seed,
        "fold": run.fold,
        "state": run.state,
        "exit_code": run.exit_code,
        "attempts": run.attempts,
        "epochs": count_epochs(run.place) if has_started else 0,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "reason": run.reason,
        "metrics": read_metrics(run.place) if has_started else None,
    }
