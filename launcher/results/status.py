"""The stable form of a batch for scripts: what `status --json` prints. Keys are never changed or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.results.history import count_epochs
from launcher.results.metrics import read_metrics
from launcher.results.place import Place, read_place
from launcher.runner import names

if TYPE_CHECKING:
    from datetime import datetime

    from launcher.results.place import Rented
    from launcher.results.records import BatchRecord, RunRecord


def status_json(batch: BatchRecord, *, now: datetime) -> dict[str, Any]:
    """Return a batch as JSON values; reads histories and metrics of the runs that have started."""
    place = read_place(batch.folder) or Place()
    return {
        "batch": batch.id,
        "state": batch.state,
        "on": batch.on,
        "runs": [_run_json(run) for run in batch.runs],
        "machine": _machine_json(place.current) if place.current else None,
        "cost_usd": round(place.cost_usd(now), 4),
    }


def _machine_json(machine: Rented) -> dict[str, Any]:
    return {
        "id": machine.machine,
        "type": machine.type,
        "market": machine.market,
        "region": machine.region,
        "zone": machine.zone,
        "usd_per_hour": machine.usd_per_hour,
        "launched_at": machine.launched_at,
        "deadline": machine.expires_at,
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
