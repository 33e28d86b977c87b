"""Who left a process behind, where neither group nor environment tells: one of those who ran then.

Knows processes by id only, and never signals them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Orphans:
    """The processes that became our children because whoever started them is gone."""

    def __init__(self) -> None:
        self._suspects: dict[int, frozenset[int]] = {}

    def look(self, children: AbstractSet[int], *, mains: AbstractSet[int]) -> AbstractSet[int]:
        """Note who can have left each of our children.

        Args:
            children: all our children.
            mains: the main processes of the runs that run, those that just ended included.

        Returns: the orphans.
        """
        known, everybody = self._suspects, frozenset(mains)
        self._suspects = {pid: known.get(pid, everybody) for pid in children - mains}
        return self._suspects.keys()

    def left_by(self, main: int, *, mains: AbstractSet[int]) -> AbstractSet[int]:
        """Return the orphans that only this run can have left, of those that still run."""
        others = mains - {main}
        return {pid for pid, suspects in self._suspects.items() if not suspects & others}
