"""Find the value of a metric in metrics.json, and whether more of it is better. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EVALUATE = "evaluate."
# The same words as in the hooks, which no part of launcher may import.
_BETTER_LOW = ("loss", "err", "mae", "mse", "msle", "mape", "entropy", "divergence", "hinge", "false_")
_BETTER_HIGH = (
    *("acc", "auc", "precision", "recall", "sensitivity", "specificity", "f1", "fbeta", "score", "r2", "iou"),
    *("io_u", "dice", "correlation", "similarity", "true_"),
)


def value_of(metrics: Mapping[str, Any], metric: str) -> float | None:
    """Return the value of a metric in metrics.json; None where there is none, NaN where it is not finite."""
    values = _values(metrics, metric)
    name = metric.removeprefix(EVALUATE)
    if name not in values:
        return None
    value = values[name]
    if value is None:  # so a number that is not finite is written
        return math.nan
    return float(value) if isinstance(value, int | float) else None


def list_metrics(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of all values in metrics.json."""
    return [*_values(metrics, ""), *(EVALUATE + name for name in _values(metrics, EVALUATE))]


def _values(metrics: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    found: Any = metrics.get("last")
    if metric.startswith(EVALUATE):
        calls = metrics.get("evaluate")
        last = calls[-1] if isinstance(calls, list) and calls else None
        found = last.get("values") if isinstance(last, dict) else None
    return found if isinstance(found, dict) else {}


def guess_mode(metric: str) -> str:
    """Return min or max by the name of a metric; empty where the name does not tell."""
    words = metric.lower()
    if any(each in words for each in _BETTER_LOW):
        return "min"
    return "max" if any(each in words for each in _BETTER_HIGH) else ""
