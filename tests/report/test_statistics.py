"""Published numbers: each formula is checked against SciPy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from launcher.report.statistics import Summary, summarize

VALUES = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=40)


def test_five_values_by_hand() -> None:
    found = summarize([2.0, 4.0, 4.0, 5.0, 10.0])

    # Mean 25 / 5; squares 9 + 1 + 1 + 0 + 25 = 36, over 4 is 9; t(4, .975) = 2.776445.
    assert (found.n, found.mean, found.sd) == (5, 5.0, 3.0)
    assert found.se == pytest.approx(3 / math.sqrt(5))
    assert found.low == pytest.approx(5 - 2.776445105 * 3 / math.sqrt(5), rel=1e-9)
    assert found.high == pytest.approx(5 + 2.776445105 * 3 / math.sqrt(5), rel=1e-9)


@given(VALUES)
def test_any_values_agree_with_scipy(values: list[float]) -> None:
    found = summarize(values)

    assert found.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert found.sd == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-6)
    assert found.se == pytest.approx(stats.sem(values), rel=1e-9, abs=1e-6)
    if found.se:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=found.se)
        assert found.low == pytest.approx(low, rel=1e-9)
        assert found.high == pytest.approx(high, rel=1e-9)


def test_one_value_tells_no_spread() -> None:
    assert summarize([3.0]) == Summary(1, 3.0, None, None, None, None)


def test_no_value_tells_nothing() -> None:
    assert summarize([]) == Summary(0, None, None, None, None, None)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_never_left_out(broken: float) -> None:
    found = summarize([1.0, broken, 2.0])

    assert found.n == 3
    assert all(value is not None and math.isnan(value) for value in found[1:])


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert summarize([0.1] * 10) == Summary(10, 0.1, 0.0, 0.0, 0.1, 0.1)
