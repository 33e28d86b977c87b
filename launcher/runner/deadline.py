"""When a batch ends, whatever is left of it: by limits.batch, or when the place where it runs says so.

limits.batch counts from when the batch first had the node, or was last resumed; the journal keeps that over
the lives of runners. A place whose time is bought leaves limits.json in the batch: {"ends_at", "reason"}.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from launcher.runner import names
from launcher.runner.batch import utc_now
from launcher.runner.disk import read_json, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.runner.batch import Batch
    from launcher.runner.disk import Journal

_EVENT = "clock_started"
_BOUGHT = "the time that was bought is over"


class Deadline:
    """The end of a batch.

    Args:
        clock: seconds that never jump; the time of day counts only from one runner to the next.
    """

    def __init__(self, batch: Batch, journal: Journal, *, clock: Callable[[], float]) -> None:
        self._batch, self._journal, self._clock = batch, journal, clock
        self._batch_s: float | None = batch.plan["limits"].get("batch_s")
        self._ends: dict[str, float] = {}
        self._read_bought()

    def start(self) -> None:
        """Let the time run: the batch has the node. It goes on where a predecessor began to count."""
        if self._batch_s is None:
            return
        began = [
            event for event in read_lines(self._batch.path(names.EVENTS)) if event.get("event") == _EVENT
        ]
        left_s = _seconds_until(began[-1].get("at")) if began else None
        if left_s is None:
            self.restart()
        else:
            self._set_batch(self._batch_s + left_s)

    def restart(self) -> None:
        """Give the whole time anew: somebody asked to go on."""
        if self._batch_s is not None:
            self._journal.append(at=utc_now(), event=_EVENT)
            self._set_batch(self._batch_s)

    def find_reason(self) -> str | None:
        """Return why the batch has to end; None while it may go on."""
        now = self._clock()
        return next((reason for reason, end in self._ends.items() if now >= end), None)

    def _set_batch(self, left_s: float) -> None:
        reason = f"limits.batch: the batch took longer than its limit of {self._batch_s:g} s"
        self._ends[reason] = self._clock() + left_s

    def _read_bought(self) -> None:
        bought = read_json(self._batch.path(names.LIMITS))
        if not isinstance(bought, dict):
            return
        left_s = _seconds_until(bought.get("ends_at"))
        if left_s is None:
            sys.stderr.write(f"{names.LIMITS} has no readable ends_at, so it does not count\n")
        else:
            self._ends[str(bought.get("reason") or _BOUGHT)] = self._clock() + left_s


def _seconds_until(at: object) -> float | None:
    try:
        return (datetime.fromisoformat(str(at)) - datetime.now(timezone.utc)).total_seconds()
    except (ValueError, TypeError):  # no time, or one without its zone
        return None
