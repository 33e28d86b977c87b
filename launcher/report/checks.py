"""What `doctor` found, as lines: what was checked, how it is, what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from launcher.report.text import clean, table, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

_INDENT = " " * 4


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        said: how it is, in one line.
        fix: what to do; empty where nothing must be done.
    """

    name: str
    state: State
    said: str
    fix: str = ""


def checks_text(checks: Sequence[Check], *, columns: int = 100) -> str:
    """Return the page of `doctor`: a line a check, its fix below it, and the count at the end."""
    rows = table([(each.state, each.name, clean(each.said)) for each in checks])
    lines: list[str] = []
    for row, check in zip(rows, checks, strict=True):
        lines += wrap(row, columns, indent=_INDENT)
        lines += wrap(f"{_INDENT}-> {clean(check.fix)}", columns, indent=_INDENT) if check.fix else []
    return "\n".join([*lines, "", verdict(checks)]) + "\n"


def verdict(checks: Sequence[Check]) -> str:
    """Return what it comes to in one line."""
    counts = Counter(each.state for each in checks)
    if not counts["failed"]:
        return "Everything is in order." if not counts["warning"] else "Nothing stands in the way."
    more = f", {counts['skipped']} could not be checked" if counts["skipped"] else ""
    return f"{counts['failed']} of {len(checks)} must be mended{more}."
