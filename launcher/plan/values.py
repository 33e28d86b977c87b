"""The plan as a value: what `--plan` shows and what `submit` carries out, one and the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.spec import Value


@dataclass(frozen=True, slots=True)
class Fleet:
    """What exists at the target now.

    Attributes:
        gpus: how many a run could see.
        interpreter_hash: changes with whatever the default interpreter has installed.
    """

    gpus: int
    interpreter_hash: str


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run of an earlier batch that succeeded, and the hash of all that it depended on."""

    content: str
    batch: str
    run: str


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training process. `job` and `variant` are indexes; `content` is what --needed goes by."""

    id: str
    job: int
    variant: int
    repeat: int
    seed: int | None
    fold: int | None
    argv: tuple[str, ...]
    content: str

    def frozen(self) -> dict[str, Any]:
        """Return the entry of plan.json."""
        return {
            "id": self.id,
            "job": self.job,
            "variant": self.variant,
            "repeat": self.repeat,
            "seed": self.seed,
            "fold": self.fold,
            "argv": self.argv,
            "content": self.content,
        }


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job with its variants, and what its runs share.

    Attributes:
        environment: name and sha256 of the requirements, None for the target's own.
        code: sha256, files, bytes and what was left out of the snapshot.
        note: what a reader of a run should know about it.
    """

    name: str
    source: str
    run: str | tuple[str, ...]
    gpus: float
    run_s: float | None
    stall_s: float | None
    retries: int
    env: Mapping[str, str]
    environment: Mapping[str, str] | None
    after: tuple[str, ...]
    metric: str | None
    mode: str | None
    stop_on_nan: bool
    seed: int | None
    repeats: int
    folds: int | None
    code: Mapping[str, Any]
    variants: tuple[Mapping[str, Value], ...]
    note: str | None

    def frozen(self) -> dict[str, Any]:
        """Return the entry of plan.json."""
        return {
            "name": self.name,
            "source": self.source,
            "run": self.run,
            "needs": {"gpus": self.gpus},
            "limits": {"run_s": self.run_s, "stall_s": self.stall_s, "retries": self.retries},
            "env": dict(self.env),
            "environment": self.environment,
            "after": self.after,
            "metric": self.metric,
            "mode": self.mode,
            "stop_on_nan": self.stop_on_nan,
            "seed": self.seed,
            "repeats": self.repeats,
            "folds": self.folds,
            "code": dict(self.code),
            "variants": self.variants,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided about a batch.

    Attributes:
        already: runs that succeeded in an earlier batch; `needed` leaves them out of `runs`.
        needed: leave them out.
        warnings: what the user should know before it begins.
    """

    on: str
    slots: int | None
    cpu: bool
    batch_s: float | None
    usd: float | None
    jobs: tuple[PlannedJob, ...]
    runs: tuple[PlannedRun, ...]
    already: tuple[tuple[str, FinishedRun], ...]
    needed: bool
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def frozen(self) -> dict[str, Any]:
        """Return the content of plan.json, but for its id and the time."""
        return {**self._head(), "runs": [run.frozen() for run in self.runs], **self._foot()}

    def render(self, about: Mapping[str, Any]) -> str:
        """Return plan.json with further entries, one run a line."""
        runs = ",\n".join(json.dumps(run.frozen(), separators=(",", ":")) for run in self.runs)
        head = json.dumps({**about, **self._head()}, indent=1)[:-2]
        foot = json.dumps(self._foot(), indent=1)[2:]
        return f'{head},\n "runs": [\n{runs}\n ],\n{foot}\n'

    def _head(self) -> dict[str, Any]:
        return {
            "schema": names.SCHEMA,
            "launcher": names.VERSION,
            "on": self.on,
            "slots": self.slots,
            "cpu": self.cpu,
            "limits": {"batch_s": self.batch_s, "usd": self.usd},
            "jobs": [job.frozen() for job in self.jobs],
        }

    def _foot(self) -> dict[str, Any]:
        left_out = self.already if self.needed else ()
        skipped = [{"id": run, "content": f.content, "batch": f.batch, "run": f.run} for run, f in left_out]
        return {"skipped": skipped, "notes": self.notes}
