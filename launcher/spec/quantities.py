"""Durations, money and sizes, read and written back: `parse(format(x)) == x` for whatever can be read. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from launcher.errors import UsageError

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1}
_NUMBER = r"(\d{1,15}(?:\.\d{1,15})?)"
_DURATION = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit in _SECONDS), re.ASCII)
_SIZE = re.compile(rf"{_NUMBER}\s*(TB|GB|MB|kB|KB|B)", re.ASCII)
_USD = re.compile(rf"\$?{_NUMBER}", re.ASCII)
_LARGEST = 10**15  # exact as a float, and beyond every use


def parse_duration_s(text: str) -> float:
    """Read `90s`, `15m`, `1h30m` or `2d`. Returns: seconds, more than 0, to the millisecond.

    Raises:
        UsageError: it is no such text.
    """
    found = _DURATION.fullmatch(text.strip())
    numbers = found.groups() if found else ()
    parts = zip(numbers, _SECONDS.values(), strict=False)
    seconds = round(sum((Decimal(number) * unit for number, unit in parts if number), Decimal()), 3)
    if not 0 < seconds < 10**12:
        raise UsageError(f'"{text}" is not a duration.', "Write a number and its unit: 90s, 15m, 2h or 1h30m.")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Write seconds as `1h30m`, to the millisecond."""
    rest, text = round(Decimal(repr(seconds)), 3), ""
    for unit, size in _SECONDS.items():
        count = rest if unit == "s" else rest // size
        text += f"{_plain(count)}{unit}" if count else ""
        rest -= count * size
    return text or "0s"


def parse_usd(text: str) -> float:
    """Read `12`, `12.50` or `$12`. Returns: US dollars, more than 0, to the cent.

    Raises:
        UsageError: it is no such text.
    """
    found = _USD.fullmatch(text.strip())
    usd = round(Decimal(found[1]), 2) if found else Decimal()
    if not 0 < usd < 10**12:
        raise UsageError(f'"{text}" is not an amount of US dollars.', "Write 12, 12.50 or $12.")
    return float(usd)


def format_usd(usd: float) -> str:
    """Write US dollars as `$12.50`."""
    return f"${usd:.2f}"


def parse_size_bytes(text: str) -> int:
    """Read `64MB` or `1.5GB`, powers of 1000. Returns: bytes, at least 1.

    Raises:
        UsageError: it is no such text.
    """
    found = _SIZE.fullmatch(text.strip())
    size = int(Decimal(found[1]) * _BYTES[found[2].replace("K", "k")]) if found else 0
    if not 0 < size < _LARGEST:
        raise UsageError(f'"{text}" is not a size.', "Write a number and its unit: 500kB, 64MB or 1.5GB.")
    return size


def format_size(size_bytes: int) -> str:
    """Write bytes as `1.5GB`, exactly."""
    unit = next((unit for unit, factor in _BYTES.items() if size_bytes >= factor), "B")
    return f"{_plain(Decimal(size_bytes) / _BYTES[unit])}{unit}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
