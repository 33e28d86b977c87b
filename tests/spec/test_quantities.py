"""Durations, money and sizes: what can be read is written back as itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.spec.quantities import (
    format_duration,
    format_size,
    format_usd,
    parse_duration_s,
    parse_size_bytes,
    parse_usd,
)

TEN_YEARS_S = 10 * 365 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [
        ("90s", 90.0, "1m30s"),
        ("15m", 900.0, "15m"),
        ("2h", 7200.0, "2h"),
        ("1h30m", 5400.0, "1h30m"),
        ("1.5h", 5400.0, "1h30m"),
        ("2d", 172_800.0, "2d"),
        ("1d2h3m4.5s", 93_784.5, "1d2h3m4.5s"),
        ("100m", 6000.0, "1h40m"),
        ("0.000001s", 1e-6, "0.000001s"),
        ("0.0000019s", 1e-6, "0.000001s"),
        ("0d5s", 5.0, "5s"),
        ("3650d", float(TEN_YEARS_S), "3650d"),
    ],
)
def test_a_duration_is_read_and_written(text: str, seconds: float, written: str) -> None:
    assert parse_duration_s(text) == seconds
    assert format_duration(seconds) == written


NO_DURATIONS = (
    *(
        "",
        " ",
        "90",
        "0s",
        "0h0m",
        "-5m",
        "2H",
        "15M",
        "1h 30m",
        " 1h",
        "1h\n",
        "30m1h",
        "1h1h",
        "1w",
        "1h30",
    ),
    *(".5h", "5.h", "1e3s", "1_000s", "\u0661s", "0.0000001s", "3651d", f"{'9' * 15}d", f"{'9' * 16}s"),
    *("1h30", "inf", "nan", "two hours"),
)


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration_s(text)

    assert caught.value.what == f'"{text}" is not a duration of up to ten years.'
    assert caught.value.todo == "Write, for example, 90s, 15m, 2h or 1h30m."


def test_no_time_is_written_too() -> None:
    assert format_duration(0.0) == "0s"


@pytest.mark.parametrize(
    ("text", "usd", "written"),
    [
        ("12", 12.0, "$12.00"),
        ("12.5", 12.5, "$12.50"),
        ("$12.50", 12.5, "$12.50"),
        ("0.01", 0.01, "$0.01"),
        ("0.999", 0.99, "$0.99"),
        ("1000000000", 1e9, "$1000000000.00"),
    ],
)
def test_money_is_read_and_written_and_never_more_than_was_said(text: str, usd: float, written: str) -> None:
    assert parse_usd(text) == usd
    assert format_usd(usd) == written


@pytest.mark.parametrize(
    "text",
    ["", "0", "0.001", "-1", "12 ", "$ 12", "12$", "1,000", "€5", "1e3", "1000000001", "9" * 30, "free"],
)
def test_what_is_no_money_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an amount of US dollars"):
        parse_usd(text)


@pytest.mark.parametrize(
    ("text", "size", "written"),
    [
        ("1B", 1, "1B"),
        ("64MB", 64_000_000, "64MB"),
        ("1.5GB", 1_500_000_000, "1.5GB"),
        ("500kB", 500_000, "500kB"),
        ("500KB", 500_000, "500kB"),
        ("1234567B", 1_234_567, "1.234567MB"),
        ("1000000TB", 10**18, "1000000TB"),
        ("1.9B", 1, "1B"),
    ],
)
def test_a_size_is_read_and_written(text: str, size: int, written: str) -> None:
    assert parse_size_bytes(text) == size
    assert format_size(size) == written


@pytest.mark.parametrize(
    "text", ["", "0B", "64", "64 MB", "64mb", "-1B", "1MiB", "0.5B", "1000001TB", f"{'9' * 20}B"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size_bytes(text)


def test_no_bytes_are_written_too() -> None:
    assert format_size(0) == "0B"


@given(st.integers(1, TEN_YEARS_S * 1_000_000))
def test_every_duration_round_trips(microseconds: int) -> None:
    seconds = parse_duration_s(f"{Decimal(microseconds) / 1_000_000:f}s")

    assert parse_duration_s(format_duration(seconds)) == seconds


@given(
    st.from_regex(r"([0-9]{1,4}(\.[0-9]{1,8})?d)?([0-9]{1,5}h)?([0-9]{1,6}(\.[0-9]{1,8})?m)?", fullmatch=True)
)
def test_every_text_of_a_duration_round_trips(text: str) -> None:
    try:
        seconds = parse_duration_s(text)
    except UsageError:
        return

    assert parse_duration_s(format_duration(seconds)) == seconds


@given(st.integers(1, 10**11))
def test_every_amount_round_trips(cents: int) -> None:
    usd = parse_usd(f"{Decimal(cents) / 100:f}")

    assert parse_usd(format_usd(usd)) == usd


@given(st.integers(1, 10**18))
def test_every_size_round_trips(size: int) -> None:
    assert parse_size_bytes(format_size(size)) == size
