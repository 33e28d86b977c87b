"""Durations, money and sizes, read and written back: `parse(format(x)) == x` for whatever can be read."""

from __future__ import annotations

import re
from decimal import Decimal

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1}
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(TB|GB|MB|kB|KB|B)", re.ASCII)
_USD = re.compile(r"\$?(\d+(?:\.\d+)?)", re.ASCII)
_LARGEST = 10**15
_DIGITS = 6


def parse_duration_s(text: str) -> float:
    """Read `90s`, `15m`, `1h30m` or `2d`. Returns: seconds, more than 0, to the microsecond.

    Raises:
        ValueError: it is no such text.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError(f"{text!r} is no duration")
    parts = zip(found.groups(), _SECONDS.values(), strict=True)
    seconds = sum((Decimal(number) * unit for number, unit in parts if number), Decimal())
    return _checked(float(round(seconds, _DIGITS)), text)


def format_duration(seconds: float) -> str:
    """Write seconds as `1h30m`."""
    rest, text = round(Decimal(repr(seconds)), _DIGITS), ""
    for unit, size in _SECONDS.items():
        count = rest if unit == "s" else rest // size
        if count:
            text += f"{_plain(count)}{unit}"
        rest -= count * size
    return text or "0s"


def parse_usd(text: str) -> float:
    """Read `12`, `12.50` or `$12`. Returns: US dollars, more than 0, to the cent.

    Raises:
        ValueError: it is no such text.
    """
    found = _USD.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no sum of money")
    return _checked(float(round(Decimal(found[1]), 2)), text)


def format_usd(usd: float) -> str:
    """Write US dollars as `$12.50`."""
    return f"${usd:.2f}"


def parse_size_bytes(text: str) -> int:
    """Read `64MB` or `1.5GB`, powers of 1000. Returns: bytes.

    Raises:
        ValueError: it is no such text.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size")
    return int(_checked(int(Decimal(found[1]) * _BYTES[found[2].replace("K", "k")]), text))


def format_size(size_bytes: int) -> str:
    """Write bytes as `1.5GB`, exactly."""
    unit, factor = next(((unit, factor) for unit, factor in _BYTES.items() if size_bytes >= factor), ("B", 1))
    return f"{_plain(Decimal(size_bytes) / factor)}{unit}"


def _checked(value: float, text: str) -> float:
    if not 0 < value < _LARGEST:
        raise ValueError(f"{text!r} is out of range")
    return value


def _plain(number: Decimal) -> str:
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number else f"{number.normalize():f}"
