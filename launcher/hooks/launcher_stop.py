"""End fits whose metric no longer gets better, for scripts that do not ask for it themselves.

The fit ends after its epoch and the script goes on. It is no failure: verdict.json says where it ended.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from .launcher_files import replace_file
from .launcher_guard import Guard, say
from .launcher_metrics import mode_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .launcher_run import Run


class Patience:
    """How long one fit has been without a better value. Epochs that do not log the metric do not count.

    Args:
        settings: metric, patience, min_delta and mode of stop_when.
        model: the model that is trained.
    """

    def __init__(self, settings: Mapping[str, Any], *, model: Any) -> None:
        self._metric, self._patience = settings["metric"], settings["patience"]
        self._min_delta = settings.get("min_delta") or 0.0
        self._sign = -1 if (settings.get("mode") or mode_of(self._metric)) == "max" else 1
        self._model = model
        self._is_seen, self._waited = False, 0
        self._best: tuple[int, float] | None = None

    def see(self, epoch: int, values: Mapping[str, float]) -> str | None:
        """Take one more epoch in. Returns: why the fit ends with it; None where it goes on."""
        if self._metric not in values:
            return None
        self._is_seen = True
        if self._is_better(values[self._metric]):
            self._best, self._waited = (epoch, values[self._metric]), 0
            return None
        self._waited += 1
        if self._waited < self._patience:
            return None
        self._model.stop_training = True
        best = "" if self._best is None else f" since epoch {self._best[0]} ({self._best[1]:.6g})"
        return f"{self._metric} has not got better{best}"

    def end(self, fit: int, logged: Mapping[str, float]) -> None:
        """Say so where a fit never logged the metric: it went on to its last epoch."""
        if not self._is_seen:
            say(f"stop_when: fit {fit} logs no {self._metric}, only {', '.join(logged)}")

    def _is_better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return self._best is None or self._sign * (value - self._best[1]) < -self._min_delta


class EarlyEnds:
    """The fits of a run that ended early, as verdict.json tells the runner."""

    def __init__(self, run: Run) -> None:
        self._run, self._count = run, 0

    def add(self, epoch: int, fit: int, why: str) -> None:
        """Write that one more fit ended early."""
        self._count += 1
        first = f"{self._count} fits stopped early, the last" if self._count > 1 else "stopped early"
        reason = f"{first} after epoch {epoch} of fit {fit}: {why}"
        say(f"stop_when: {reason}")
        with Guard("the reason is not kept"):
            content = {"state": "succeeded", "reason": reason}
            replace_file(self._run.path("verdict.json"), json.dumps(content).encode())
