"""Describe a few independent values: mean, spread, and how sure the mean is. Knows nothing of batches.

Published formulas, nothing else: sample standard deviation (ddof 1), standard error sd / sqrt(n), and the
two-sided 95 % interval of Student's t with n - 1 degrees of freedom. It holds for independent values that are
about normal.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95


class Summary(NamedTuple):
    """What n values say. None where it is not defined; NaN where a value was not finite."""

    n: int
    mean: float | None
    sd: float | None
    se: float | None
    low: float | None
    high: float | None


def summarize(values: Sequence[float]) -> Summary:
    """Summarize independent values; from one value no spread can be told."""
    n = len(values)
    if not n:
        return Summary(0, None, None, None, None, None)
    mean = mean_of(values)
    if n == 1:
        return Summary(1, mean, None, None, None, None)
    sd = deviation_of(values)
    se = sd / math.sqrt(n)
    reach = se * _quantile(n - 1)
    return Summary(n, mean, sd, se, mean - reach, mean + reach)


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN where a value is not finite."""
    return math.fsum(values) / len(values) if _are_finite(values) else math.nan


def deviation_of(values: Sequence[float]) -> float:
    """Return the sample standard deviation (ddof 1) of at least two values; NaN where one is not finite."""
    if not _are_finite(values):
        return math.nan
    mean = mean_of(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _are_finite(values: Sequence[float]) -> bool:
    return all(math.isfinite(value) for value in values)


def _quantile(degrees_of_freedom: int) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415  # 0.1 s, and only here

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))
