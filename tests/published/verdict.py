"""Say in words how a published figure stands to measured repeats. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from launcher.report.metric_values import guess_mode
from tests.published.figures import LAST, Figure

if TYPE_CHECKING:
    from launcher.report.statistics import Summary


def judge(figure: Figure, summary: Summary) -> str:
    """Compare by the interval of the mean, then by the wider one in which one more repeat would lie.

    A tutorial trained once (or repeated over one seed's folds), so its figure is one draw, not a mean.
    """
    if summary.mean is None:
        return "not measured"
    if figure.published is None:
        return "nothing published"
    if summary.low is None or summary.high is None:
        return "one repeat tells no interval"
    reach, off = summary.high - summary.mean, summary.mean - figure.published
    if abs(off) <= reach:
        return "met: inside the interval"
    if abs(off) <= reach * math.sqrt(summary.n + 1):
        return "met by some seeds: outside the interval of the mean, where one more repeat may lie"
    return f"not met: {_direction(figure, off)} than published"


def _direction(figure: Figure, off: float) -> str:
    if figure.take != LAST:
        return "later" if off > 0 else "earlier"
    is_better = (off > 0) == (guess_mode(figure.metric) == "max")
    return f"{abs(off):.3f} {'better' if is_better else 'worse'}"
