"""See that a warm run hangs: its first batch does not end, and its processes do nothing at all."""

from __future__ import annotations

import os

from launcher.runner import names, processes

_EVERY_S = 1.0


class HangWatch:
    """Watch one run, from its first fit until its first batch.

    Args:
        folder: the run's folder, where its hooks say when that time begins and ends.
        leader: the run's main process.
        marker: what all of its processes have in their environment.
        limit_s: for how long they may take no processor time.
    """

    def __init__(self, folder: str, *, leader: int, marker: bytes, limit_s: float) -> None:
        self._path = f"{folder}/{names.FITTING}"
        self._leader, self._marker, self._limit_s = leader, marker, limit_s
        self._look_at = self._since = 0.0
        self._ticks = -1

    def is_hung(self, now: float) -> bool:
        """Look, at most once a second."""
        if now < self._look_at:
            return False
        self._look_at = now + min(_EVERY_S, self._limit_s)
        ticks = self._count_ticks()
        if ticks is None or ticks != self._ticks:
            self._ticks, self._since = -1 if ticks is None else ticks, now
        return ticks is not None and now - self._since >= self._limit_s

    def _count_ticks(self) -> int | None:
        if not os.path.exists(self._path):
            return None
        members = processes.find_members(leaders=[self._leader], marker=self._marker)
        return processes.count_ticks(members)
