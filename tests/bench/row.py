"""A line of the table, and how times are taken: in turn with the peer, the median of each."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured; the ratio is ours to the peer's."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None

    def text(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "", True: " (met)", False: " (missed)"}[self.is_met]
        return f"| {self.what} | {self.ours} | {self.peer} | {ratio} | {self.target}{verdict} |"


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def in_turn(rounds: int, *actions: Callable[[], float]) -> tuple[float, ...]:
    """Take each figure in turn, so that a slow moment of the machine meets all of them. Returns: medians."""
    figures = [[action() for action in actions] for _ in range(rounds)]
    return tuple(statistics.median(column) for column in zip(*figures, strict=True))
