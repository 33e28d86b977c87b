"""End a run whose loss, or another value of its model, is no longer a finite number."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from .launcher_files import replace_file
from .launcher_guard import Guard, say

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .launcher_run import Run

_FAILED = 1


def find_lost(values: Mapping[str, float], *, metrics: Collection[str]) -> str | None:
    """Return the first value of a model that is not finite; what callbacks added does not count."""
    return next(
        (name for name, value in values.items() if not math.isfinite(value) and _is_own(name, metrics)), None
    )


def end_run(run: Run, reason: str) -> NoReturn:
    """Leave the reason in verdict.json and end this process at once, with what it printed."""
    with Guard("the reason is not kept"):
        replace_file(run.path("verdict.json"), json.dumps({"reason": reason}).encode())
    say(f"stop_on_nan: {reason}")
    for stream in (sys.stdout, sys.stderr):
        with Guard("the last output may be lost"):
            stream.flush()
    _end_pool()
    os._exit(_FAILED)


def _is_own(name: str, metrics: Collection[str]) -> bool:
    own = name.removeprefix("val_")
    return own.endswith("loss") or own in metrics


def _end_pool() -> None:
    """End the process that waits for this worker: a multiprocessing.Pool would wait for it for ever."""
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process else None
    if parent is not None and parent.pid:
        with Guard("the parent goes on"):
            os.kill(parent.pid, signal.SIGTERM)
