"""Makes batch folders as the plan and the runner would: whole ones, torn ones, hostile ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BOOT = "b50ca3d2-c1bc-4d54-85c4-a31c6949a8c0"
OTHER_BOOT = "11111111-c1bc-4d54-85c4-a31c6949a8c0"


def iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass
class Job:
    """A job to plan; every variant times every repeat times every fold is a run."""

    name: str = "sonar"
    variants: list[dict[str, Any]] = field(default_factory=lambda: [{"epochs": 4}])
    repeats: int = 1
    folds: int | None = None
    seed: int | None = 7
    extra: dict[str, Any] = field(default_factory=dict)

    def to_plan(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": f"jobs/{self.name}.yaml",
            "run": "python train.py",
            "needs": {"gpus": 1},
            "limits": {"run_s": None, "stall_s": None, "retries": 0},
            "env": {},
            "environment": None,
            "after": [],
            "metric": None,
            "mode": None,
            "stop_on_nan": False,
            "seed": self.seed,
            "repeats": self.repeats,
            "folds": self.folds,
            "code": {"sha256": "ab" * 32, "files": 3, "bytes": 12_345, "left_out": []},
            "variants": self.variants,
            **self.extra,
        }

    def to_runs(self, index: int) -> list[dict[str, Any]]:
        places = [
            (repeat, variant, fold)
            for repeat in range(self.repeats)
            for variant in range(len(self.variants))
            for fold in range(self.folds or 1)
        ]
        return [
            {
                "id": f"{self.name}-{number:04d}-{variant:08x}",
                "job": index,
                "variant": variant,
                "repeat": repeat,
                "seed": None if self.seed is None else self.seed + repeat,
                "fold": fold if self.folds else None,
                "argv": ["python", "train.py", f"--variant={variant}"],
                "content": f"content-{self.name}-{number}",
            }
            for number, (repeat, variant, fold) in enumerate(places)
        ]


class BatchFolder:
    """One batch on disk. Every method writes what the runner would have written."""

    def __init__(self, folder: Path, jobs: list[Job], **plan: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.plan: dict[str, Any] = {
            "schema": 1,
            "launcher": "0.1.0",
            "id": folder.name,
            "created_at": iso(NOW - timedelta(hours=1)),
            "on": "local",
            "slots": 1,
            "cpu": False,
            "limits": {"batch_s": None, "usd": None},
            "jobs": [job.to_plan() for job in jobs],
            "runs": [run for index, job in enumerate(jobs) for run in job.to_runs(index)],
            "skipped": [],
            "notes": [],
            **plan,
        }
        self.write_plan()

    @property
    def ids(self) -> list[str]:
        return [run["id"] for run in self.plan["runs"]]

    def write_plan(self) -> None:
        (self.folder / "plan.json").write_text(json.dumps(self.plan))

    def run_folder(self, run: int) -> Path:
        folder = self.folder / "runs" / self.ids[run]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def set_state(self, run: int, state: str, *, took_s: float = 60.0, **more: Any) -> Path:
        ended = None if state in {"running", "queued"} else iso(NOW - timedelta(minutes=5))
        started = iso(NOW - timedelta(minutes=5, seconds=took_s))
        known = {
            "state": state,
            "exit_code": 0 if state == "succeeded" else None,
            "signal": None,
            "attempt": 1,
            "started_at": started,
            "ended_at": ended,
            "reason": None,
            **more,
        }
        folder = self.run_folder(run)
        (folder / "state.json").write_text(json.dumps(known))
        return folder

    def set_all(self, state: str, **more: Any) -> None:
        for run in range(len(self.ids)):
            self.set_state(run, state, **more)

    def set_runner(self, *, boot_id: str | None = BOOT, heartbeat_at: datetime = NOW, **more: Any) -> None:
        known = {"pid": 1, "boot_id": boot_id, "version": "0.1.0", "heartbeat_at": iso(heartbeat_at), **more}
        (self.folder / "runner.json").write_text(json.dumps(known))
        (self.folder / "runner.lock").touch()

    def set_history(self, run: int, text: str) -> Path:
        folder = self.run_folder(run)
        (folder / "history.csv").write_text(text)
        return folder

    def set_metrics(self, run: int, metrics: dict[str, Any]) -> Path:
        folder = self.run_folder(run)
        (folder / "metrics.json").write_text(json.dumps(metrics))
        return folder

    def add_events(self, *events: dict[str, Any], tail: str = "") -> None:
        text = "".join(json.dumps({"at": iso(NOW), **event}) + "\n" for event in events)
        (self.folder / "events.jsonl").write_text(text + tail)


def history(epochs: int, *, attempt: int = 1, fit: int = 0, first: float = 1.0, header: bool = True) -> str:
    """A history whose loss halves at every epoch, of 2 s each."""
    lines = [
        f"{fit},{epoch},{attempt},2.0,{first / 2**epoch!r},{1 - first / 2 ** (epoch + 1)!r}"
        for epoch in range(epochs)
    ]
    return "fit,epoch,attempt,seconds,loss,val_accuracy\n" * header + "".join(line + "\n" for line in lines)


def metrics(value: float | None, *, name: str = "val_accuracy", mode: str = "max") -> dict[str, Any]:
    """What a run with one metric leaves."""
    return {
        "evaluate": [{"values": {"loss": 0.5, "accuracy": value}}],
        "metric": name,
        "mode": mode,
        "best": {"epoch": 3, "value": value},
        "last": {"loss": 0.25, name: value},
    }
