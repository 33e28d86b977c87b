"""Read metrics.json: what evaluate returned, best and last epoch. What is not finite becomes None."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from launcher.results.files import read_bytes
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 64 << 20


def read_metrics(run_folder: Path | str) -> dict[str, Any] | None:
    """Read the metrics of the run in this folder; None where it has none, or they cannot be read."""
    data = read_bytes(f"{run_folder}/{names.METRICS}", limit_bytes=LIMIT_BYTES)
    if data is None:
        return None
    try:
        value = json.loads(data, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def _no_number(_: str) -> None:
    """Read NaN and Infinity, which JSON does not know, as null."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None  # 1e999 is infinite
