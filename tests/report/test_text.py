"""Text for terminals: what comes from outside can do nothing there, and columns stay columns."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from launcher.report.text import (
    bar,
    clean,
    columns_of,
    cut,
    local_time,
    number,
    plural,
    settings_text,
    span,
    sparkline,
    table,
    wrap,
)

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain words", "plain words"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bc", "\\x1bc"),
        ("\x1b[", "\\x1b["),
        ("\x1b]never ends", "never ends"),
        ("\x9b31m", "\\x9b31m"),
        ("bell\x07 nul\x00 del\x7f", "bell\\x07 nul\\x00 del\\x7f"),
        ("two\nlines\r", "two\\x0alines\\x0d"),
        ("tab\there", "tab here"),
        ("back\x08\x08\x08", "back"),
        ("right \u202e to left", "right \\u{202e} to left"),
        ("lone \ud800 half", "lone \\u{d800} half"),
        ("\U000e0001", "\\u{e0001}"),
        ("日本 🦦 é", "日本 🦦 é"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        (7, "7"),
    ],
)
def test_text_from_outside_can_do_nothing_to_a_terminal(raw: object, expected: str) -> None:
    assert clean(raw) == expected


def test_a_clean_text_can_always_be_written() -> None:
    every = "".join(chr(code) for code in range(0x3000)) + "\ud800\udfff"

    text = clean(every)

    assert text.encode().decode() == text
    assert not any(ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 for each in text)


def test_wide_and_combining_characters_take_their_own_columns() -> None:
    assert (columns_of("ab"), columns_of("日本"), columns_of("e\u0301"), columns_of("🦦")) == (2, 4, 1, 2)


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("é" * 3, 2, "é…"),
    ],
)
def test_a_long_text_is_cut_and_says_so(text: str, columns: int, expected: str) -> None:
    assert cut(text, columns) == expected


def test_a_wrapped_text_loses_nothing() -> None:
    text = "note: " + "word " * 40 + "x" * 80

    lines = wrap(text, 40, indent="      ")

    assert " ".join(lines).split() == text.split()
    assert all(line.startswith("      ") for line in lines[1:])
    assert wrap("short", 40) == ["short"]


def test_cells_stand_in_columns() -> None:
    lines = table([("job", "n"), ("日本", "10"), ("a", "")], right=[1])

    assert lines == ["  job    n", "  日本  10", "  a"]
    assert table([]) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([1.0], "▁"),
        ([3.0, 3.0], "▁▁"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        ([1.0, math.nan, 0.0], "█x▁"),
        ([math.inf, -math.inf], "xx"),
        ([-1.7e308, 1.7e308], "▁▁"),
        ([0.0, *[5.0] * 98, 10.0], "▁▅▅█"),
    ],
)
def test_a_sparkline_shows_the_course_of_values(values: list[float], expected: str) -> None:
    assert sparkline(values, columns=8 if len(values) < 50 else 4) == expected


@pytest.mark.parametrize(("share", "filled"), [(0.0, 0), (0.5, 5), (0.999, 9), (1.0, 10), (1.5, 10)])
def test_only_all_of_it_fills_a_bar(share: float, filled: int) -> None:
    assert bar(share, columns=10) == "█" * filled + "░" * (10 - filled)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (0.44, "0.4s"),
        (3.0, "3s"),
        (9.96, "10s"),
        (59.6, "1m"),
        (60, "1m"),
        (200, "3m20s"),
        (3600, "1h"),
        (4320, "1h12m"),
        (86_400, "1d"),
        (183_600, "2d3h"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


def test_times_are_shown_in_the_zone_of_the_reader() -> None:
    zone = timezone(timedelta(hours=-8))

    assert local_time(NOW, now=NOW, zone=zone) == "19:00:00"
    assert local_time(NOW - timedelta(days=1), now=NOW, zone=zone) == "2026-11-19 19:00"
    assert local_time(NOW, now=NOW) == NOW.astimezone().strftime("%H:%M:%S")


def test_parameters_are_shown_as_yaml_has_them() -> None:
    params = {"lr": 1e-3, "on": True, "off": False, "none": None, "a\nb": "x\x1b[2Jy"}

    assert settings_text(params.items()) == "lr=0.001 on=true off=false none=null a\\x0ab=xy"


def test_numbers_and_counts() -> None:
    assert [number(value) for value in (0.123456, 1e-9, math.nan, math.inf)] == [
        "0.1235",
        "1e-09",
        "nan",
        "inf",
    ]
    assert [plural(count, "run") for count in (0, 1, 12_345)] == ["0 runs", "1 run", "12,345 runs"]
