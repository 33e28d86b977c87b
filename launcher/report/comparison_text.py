"""Show a comparison: as a table to read and as JSON. Rounds for the eye only; JSON has every digit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from launcher.report.metric_values import EVALUATE
from launcher.report.text import clean, cut, plural, settings_text, table, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.report.comparison import Comparison, Group, Row
    from launcher.report.statistics import Summary

DIGITS_OF_ERROR = 2
MOST_DECIMALS = 6
SHOWN = 200


def comparison_text(comparison: Comparison, *, columns: int = 100) -> str:
    """Return a table a job, with what is counted and what is missing."""
    pages = [
        [cut(_title(group), columns), *_table(group, columns), *_notes(group, columns)]
        for group in comparison.groups
    ]
    return "\n\n".join("\n".join(page) for page in pages) + "\n"


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values; what is not finite is null, and a note says so."""
    return {"groups": [_group_json(group) for group in comparison.groups]}


def _title(group: Group) -> str:
    if not group.metric:
        return f"{clean(group.job)}: no run tells a metric, {clean(group.batch)}"
    is_evaluated = group.metric.startswith(EVALUATE)
    when = "of the last evaluate" if is_evaluated else "at the last epoch"
    mode = f" ({clean(group.mode)})" if group.mode else ""
    metric = clean(group.metric.removeprefix(EVALUATE))
    return f"{clean(group.job)}: {metric}{mode} {when}, {clean(group.batch)}"


def _table(group: Group, columns: int) -> list[str]:
    has_folds = any(row.folds_sd is not None for row in group.rows)
    header = ("variant", "n", "mean", "sd", "se", *(["sd of folds"] * has_folds), "95 % interval", "")
    decimals = _decimals(group.rows)
    rows = [_cells(row, group, decimals, has_folds=has_folds) for row in group.rows[:SHOWN]]
    more = len(group.rows) - SHOWN
    lines = table([header, *rows], right=range(1, 5 + has_folds))
    return [cut(line, columns) for line in lines] + [f"  … and {plural(more, 'more variant')}"] * (more > 0)


def _cells(row: Row, group: Group, decimals: int, *, has_folds: bool) -> tuple[str, ...]:
    n, mean, sd, se, _, _ = row.summary
    folds = (_figure(row.folds_sd, decimals),) if has_folds else ()
    numbers = (_figure(value, decimals) for value in (mean, sd, se))
    mark = "best mean" if row.is_best else ""
    return (_label(row, group), str(n), *numbers, *folds, _interval(row, decimals), mark)


def _label(row: Row, group: Group) -> str:
    return settings_text(row.params.items()) if len(group.rows) > 1 else "all"


def _interval(row: Row, decimals: int) -> str:
    summary = row.summary
    if summary.low is None or summary.high is None:
        return "one repeat: no interval" if summary.n else "no value"
    if not math.isfinite(summary.low):
        return "not finite"
    return f"{summary.low:.{decimals}f} to {summary.high:.{decimals}f}"


def _figure(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _decimals(rows: Sequence[Row]) -> int:
    """Return how many decimals show two digits of the smallest error: more would be noise."""
    errors = (
        value for row in rows for value in (row.summary.se, row.folds_sd) if value and math.isfinite(value)
    )
    smallest = min(errors, default=0.001)
    return min(MOST_DECIMALS, max(0, DIGITS_OF_ERROR - 1 - math.floor(math.log10(smallest))))


def _notes(group: Group, columns: int) -> list[str]:
    unit = "  n counts repeats (seeds)."
    if group.folds:
        shared = f"the {group.folds} folds of a repeat share training data and are averaged first"
        unit = f"  n counts repeats (seeds): {shared}."
    lines = (unit, *_verdict(group.rows), *(f"  {clean(note)}" for note in group.notes))
    return [part for line in lines for part in wrap(line, columns, indent="    ")]


def _verdict(rows: Sequence[Row]) -> Iterator[str]:
    best = next((row.summary for row in rows if row.is_best), None)
    others = [row.summary for row in rows if not row.is_best]
    if best and not all(_are_apart(best, other) for other in others):
        yield "  The best mean is not told apart from all others: their intervals overlap, or there is none."


def _are_apart(one: Summary, other: Summary) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or other.low > one.high  # never where one of them is NaN


def _group_json(group: Group) -> dict[str, Any]:
    return {
        **group._asdict(),
        "notes": list(group.notes),
        "rows": [_row_json(row) for row in group.rows],
    }


def _row_json(row: Row) -> dict[str, Any]:
    n, mean, sd, se, low, high = (_finite(value) for value in row.summary)
    return {
        "variant": row.variant,
        "params": dict(row.params),
        "n": n,
        "mean": mean,
        "sd": sd,
        "se": se,
        "interval_95": None if low is None or high is None else [low, high],
        "folds_sd": _finite(row.folds_sd),
        "runs": row.planned,
        "counted": row.counted,
        "is_best": row.is_best,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
