"""Plain text for terminals: safe words, columns, bars, sparklines, times. Knows nothing of batches.

Whatever comes from a log, a file or a name passes `clean` first: a terminal obeys the codes that it is sent.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, tzinfo

_CODES = r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x08+"
_JOINERS = frozenset("\u200c\u200d\xa0\u3000")  # parts of words and of emoji
_SPARKS = "▁▂▃▄▅▆▇█"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def clean(value: object) -> str:
    """Return a text in one line that does nothing to a terminal: the not printable stands as its escape."""
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    text = re.sub(_CODES, "", text).replace("\t", " ")
    return "".join(each if each.isprintable() or each in _JOINERS else _escape(each) for each in text)


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a clean text takes."""
    return len(text) if text.isascii() else sum(_columns_of_one(each) for each in text)


def cut(text: str, columns: int) -> str:
    """Shorten a text to so many columns; an ellipsis says that it was."""
    if columns_of(text) <= columns:
        return text
    end, room = 0, columns - 1
    while (room := room - _columns_of_one(text[end])) >= 0:
        end += 1
    return text[:end] + "…"


def wrap(text: str, columns: int, *, indent: str = "") -> list[str]:
    """Break a text into lines of so many columns; all but the first begin with `indent`, and none is cut."""
    if columns_of(text) <= columns:
        return [text]
    from textwrap import TextWrapper  # noqa: PLC0415  # 1 ms, and seldom needed

    wrapper = TextWrapper(
        max(columns, len(indent) + 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.wrap(text)


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ", right: Iterable[int] = ()) -> list[str]:
    """Return lines with the cells in columns, two spaces apart.

    Args:
        rows: clean cells, equally many in each row.
        indent: what each line begins with.
        right: the columns whose cells stand at the right, as numbers do.
    """
    if not rows:
        return []
    widths = [max(columns_of(row[column]) for row in rows) for column in range(len(rows[0]))]
    at_right = frozenset(right)
    lines = (
        "  ".join(_pad(cell, widths[column], column in at_right) for column, cell in enumerate(row))
        for row in rows
    )
    return [indent + line.rstrip() for line in lines]


def sparkline(values: Sequence[float], *, columns: int = 16) -> str:
    """Draw values as small bars, the last ones at the right; a value that is not finite is an x."""
    shown = _thin(values, columns)
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return "x" * len(shown)
    low, span = min(finite), max(finite) - min(finite)
    return "".join(_spark(value, low, span) for value in shown)


def bar(share: float, *, columns: int = 30) -> str:
    """Draw a share of 1 as a bar; only all of it fills the bar."""
    filled = columns if share >= 1 else min(columns - 1, int(share * columns))
    return "█" * filled + "░" * (columns - filled)


def span(seconds: float) -> str:
    """Return a length of time in at most two units: 0.4s, 45s, 3m20s, 1h12m, 2d3h."""
    if seconds < 9.95:  # noqa: PLR2004  # from here on a tenth is nothing
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    for unit_s, unit, part_s, part in ((_DAY_S, "d", _HOUR_S, "h"), (_HOUR_S, "h", _MINUTE_S, "m")):
        if whole >= unit_s:
            parts = whole % unit_s // part_s
            return f"{whole // unit_s}{unit}" + (f"{parts}{part}" if parts else "")
    minutes, rest = divmod(whole, _MINUTE_S)
    return f"{minutes}m" * bool(minutes) + f"{rest}s" * bool(rest)


def local_time(time: datetime, *, now: datetime, zone: tzinfo | None = None) -> str:
    """Return a time as the reader's clock shows it: today without the date.

    Args:
        time: any time with its zone.
        now: the time at which it is read.
        zone: of the reader; None is this computer's.
    """
    there, today = time.astimezone(zone), now.astimezone(zone).date()
    return f"{there:%H:%M:%S}" if there.date() == today else f"{there:%Y-%m-%d %H:%M}"


def number(value: float) -> str:
    """Return a number in four digits."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def settings_text(params: Iterable[tuple[str, Any]]) -> str:
    """Return parameters as name=value words."""
    return " ".join(f"{clean(name)}={value_text(value)}" for name, value in params)


def value_text(value: Any) -> str:
    """Return a parameter's value as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return clean(value)


def plural(count: int, word: str) -> str:
    """Return `1 run`, `2 runs`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{{{code:x}}}"  # noqa: PLR2004


def _columns_of_one(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pad(cell: str, columns: int, at_right: bool) -> str:  # noqa: FBT001
    space = " " * (columns - columns_of(cell))
    return space + cell if at_right else cell + space


def _thin(values: Sequence[float], columns: int) -> Sequence[float]:
    if len(values) <= columns:
        return values
    last = len(values) - 1
    return [values[round(index * last / (columns - 1))] for index in range(columns)]


def _spark(value: float, low: float, span: float) -> str:
    if not math.isfinite(value):
        return "x"
    share = (value - low) / span if span > 0 and math.isfinite(span) else 0.0
    return _SPARKS[min(len(_SPARKS) - 1, int(share * len(_SPARKS)))]
