"""Write metrics.json: what evaluate returned, and of the last fit its metric, best epoch and last values.

The default metric is the val_ form of the first compiled one, else val_loss, else loss. Values that are not
finite become null. A file older than run.json is an earlier attempt's and is begun anew.
"""

from __future__ import annotations

import json
import math
import os
import time
from typing import TYPE_CHECKING, Any

from .launcher_files import locked, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .launcher_run import Run

EVALUATE = "evaluate."
_EVERY_S = 1.0
_EVALUATIONS_KEPT = 1000  # a script may evaluate after every batch
_LESS_IS_BETTER = ("loss", "err", "mae", "mse", "msle", "mape", "entropy", "divergence", "hinge", "false_")
_MORE_IS_BETTER = (
    "acc", "auc", "precision", "recall", "sensitivity", "specificity", "f1", "fbeta", "score", "r2", "iou",
    "io_u", "dice", "correlation", "similarity", "true_",
)  # fmt: skip


class FitSummary:
    """The best and the last epoch of one fit.

    Args:
        run: names the metric, or leaves it to the default.
        compiled: the first compiled metric, where there is one.
    """

    def __init__(self, run: Run, *, compiled: str | None) -> None:
        default = [f"val_{compiled}"] if compiled else []
        self._candidates = [run.metric] if run.metric else [*default, "val_loss", "loss"]
        self._mode = run.mode
        self._seen: set[str] = set()
        self._best: dict[str, tuple[int, float]] = {}
        self._last: dict[str, float | None] = {}

    def see(self, epoch: int, values: Mapping[str, float]) -> None:
        """Take one more epoch in."""
        self._last = to_json_values(values)
        for name in self._candidates:
            if name in values:
                self._seen.add(name)
                self._keep_better(name, epoch, values[name])

    def to_json(self, fit: int) -> dict[str, Any]:
        """Return the keys of metrics.json that tell of a fit."""
        metric = next((name for name in self._candidates if name in self._seen), self._candidates[-1])
        epoch, value = self._best.get(metric, (None, None))
        best = None if epoch is None else {"fit": fit, "epoch": epoch, "value": value}
        return {"metric": metric, "mode": self._mode or mode_of(metric), "best": best, "last": self._last}

    def _keep_better(self, name: str, epoch: int, value: float) -> None:
        if not math.isfinite(value):
            return
        sign = -1 if (self._mode or mode_of(name)) == "max" else 1
        if name not in self._best or sign * value < sign * self._best[name][1]:
            self._best[name] = (epoch, value)


class MetricsFile:
    """The metrics of one run; several processes may write them."""

    def __init__(self, run: Run) -> None:
        self._run, self._path = run, run.path("metrics.json")
        self._written_at = -math.inf  # with an epoch in it

    def add_epoch(self, fit: int, summary: FitSummary) -> None:
        """Write at most once a second, so that metrics are there after a kill."""
        if time.monotonic() - self._written_at >= _EVERY_S:
            self.end_fit(fit, summary)

    def end_fit(self, fit: int, summary: FitSummary) -> None:
        """Write what a fit came to; a later fit that stands there already stays."""
        with locked(self._run.folder):
            found = self._read()
            if (found["best"] or {}).get("fit", fit) <= fit:
                found |= summary.to_json(fit)
            self._write(found)
        self._written_at = time.monotonic()

    def add_evaluation(self, values: Mapping[str, float]) -> None:
        """Write what a call of evaluate found."""
        with locked(self._run.folder):
            found = self._read()
            found["evaluate"] = [*found["evaluate"], {"values": to_json_values(values)}][-_EVALUATIONS_KEPT:]
            self._write(found)

    def add_fast(self, why: str | None) -> None:
        """Write that a fit goes the fast way, or why it goes the plain one."""
        with locked(self._run.folder):
            found = self._read()
            fast = found.get("fast") or {"fits": 0, "plain": {}}
            plain = fast["plain"] if why is None else {**fast["plain"], why: fast["plain"].get(why, 0) + 1}
            self._write({**found, "fast": {"fits": fast["fits"] + (why is None), "plain": plain}})

    def add_resume(self, reasons: Sequence[str]) -> None:
        """Write that the run went on from a checkpoint, and why that may have changed its result."""
        said = {"resume": "not exact", "resume_reasons": list(reasons)} if reasons else {"resume": "exact"}
        with locked(self._run.folder):
            self._write({**self._read(), **said})

    def _read(self) -> dict[str, Any]:
        metric = self._run.metric
        mode = self._run.mode or (mode_of(metric) if metric else None)
        empty: dict[str, Any] = {"evaluate": [], "metric": metric, "mode": mode, "best": None, "last": None}
        try:
            if os.stat(self._path).st_mtime_ns <= os.stat(self._run.path("run.json")).st_mtime_ns:
                return empty
            with open(self._path, encoding="utf-8") as file:
                return {**empty, **json.load(file)}
        except (OSError, ValueError):
            return empty

    def _write(self, content: Mapping[str, Any]) -> None:
        replace_file(self._path, json.dumps(content, allow_nan=False).encode())


def mode_of(metric: str) -> str:
    """Return max where more of a metric is better, by its name; else min."""
    name = metric.removeprefix(EVALUATE).lower()
    if any(word in name for word in _LESS_IS_BETTER):
        return "min"
    return "max" if any(word in name for word in _MORE_IS_BETTER) else "min"


def to_json_values(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return values as JSON knows them: null for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def list_scalars(logs: Mapping[Any, Any] | None) -> dict[str, float]:
    """Return what is one number in Keras' logs, as Keras' own float; the rest has no place in a table."""
    scalars = {str(name): _to_float(value) for name, value in (logs or {}).items()}
    return {name: value for name, value in scalars.items() if value is not None}


def _to_float(value: Any) -> float | None:
    if isinstance(value, str | bytes) or getattr(value, "ndim", None):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def list_compiled(model: Any) -> tuple[str, ...]:
    """Return the names under which a model logs its compiled metrics, in the order of compile()."""
    compiled: Any = getattr(model, "_compile_metrics", None)
    return tuple(compiled.result()) if getattr(compiled, "built", None) else ()
