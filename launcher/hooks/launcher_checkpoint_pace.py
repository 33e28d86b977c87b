"""When to checkpoint: as often as asked for, yet never for more than 2 % of the time. Reads a clock only."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TIMES_COST = 50.0
_LONG_EPOCH_S = 1.0
_FREE_S = 1.0  # so that the first fits of a script that fits many times are kept


class Pace:
    """Measure what checkpoints cost and space them.

    Args:
        every_s: the time between two checkpoints.
        clock: seconds that never jump.
    """

    def __init__(self, every_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._began = self._saved_at = self._epoch_at = clock()
        self._holding_s = self._held_s = self._saving_s = self._spent_s = 0.0

    def begin_epoch(self) -> float:
        """Say that an epoch begins. Returns: how long the one before it took."""
        now = self._clock()
        took, self._epoch_at = now - self._epoch_at, now
        return took

    def is_due(self) -> bool:
        """Tell whether enough time has passed for the next checkpoint."""
        cost = self._saving_s + self._held_s
        return self._clock() - self._saved_at >= max(self._every_s, _TIMES_COST * cost)

    def may_hold(self, epoch_s: float) -> bool:
        """Tell whether epochs are so long that each is held in memory, for a SIGTERM inside the next."""
        return epoch_s >= _LONG_EPOCH_S and 2 * _TIMES_COST * self._holding_s <= epoch_s

    def may_finish(self) -> bool:
        """Tell whether a finished fit may be kept; of thousands that take no time not all are."""
        elapsed = self._clock() - self._began
        return self._spent_s + self._saving_s <= _FREE_S + elapsed / _TIMES_COST

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure a checkpoint; also one that failed is not tried again at once."""
        begin = self._clock()
        try:
            yield
        finally:
            self._saved_at = self._clock()
            self._saving_s, self._held_s = self._saved_at - begin, 0.0
            self._spent_s += self._saving_s

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Measure what it takes to hold a state in memory."""
        begin = self._clock()
        yield
        self._holding_s = self._clock() - begin
        self._held_s += self._holding_s
        self._spent_s += self._holding_s
