"""Durations, money and sizes, read and written back: `parse(format(x)) == x` for whatever can be read.

Imports only the standard library. No spaces, no other units, no upper case: one way to write each.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal

from launcher.errors import UsageError

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3, "B": 1}

# These stand in the JSON schema of job files too, so they use only what every dialect of patterns knows.
DURATION_PATTERN = "^(?=.)" + "".join(f"(?:({_NUMBER}){unit})?" for unit in _SECONDS) + "$"
USD_PATTERN = rf"^\$?({_NUMBER})$"
_SIZE_PATTERN = f"^({_NUMBER})(TB|GB|MB|kB|KB|B)$"

_LONGEST_S = 10 * 365 * 86400  # date arithmetic takes ten years; millions of them it does not
_MOST_USD = 10**9
_LARGEST_BYTES = 10**18
_MICROSECOND = Decimal("0.000001")
_CENT = Decimal("0.01")


def parse_duration_s(text: str) -> float:
    """Read `90s`, `15m`, `1h30m` or `2d`. Returns: seconds, to the microsecond, from there to ten years.

    Raises:
        UsageError: it is no such text.
    """
    found = re.fullmatch(DURATION_PATTERN, text)
    numbers = zip(found.groups() if found else (), _SECONDS.values(), strict=False)
    seconds = sum((Decimal(number) * unit for number, unit in numbers if number), Decimal())
    if not _MICROSECOND <= seconds <= _LONGEST_S:
        raise UsageError(
            f'"{text}" is not a duration of up to ten years.', "Write, for example, 90s, 15m, 2h or 1h30m."
        )
    return float(_floor(seconds, _MICROSECOND))


def format_duration(seconds: float) -> str:
    """Write seconds as `1h30m`."""
    rest, text = Decimal(repr(seconds)).quantize(_MICROSECOND), ""
    for unit, size in _SECONDS.items():
        count = rest if unit == "s" else rest // size
        if count:
            text += f"{_plain(count)}{unit}"
        rest -= count * size
    return text or "0s"


def parse_usd(text: str) -> float:
    """Read `12`, `12.50` or `$12`. Returns: US dollars, to the cent, from there to a thousand million.

    Raises:
        UsageError: it is no such text.
    """
    found = re.fullmatch(USD_PATTERN, text)
    usd = Decimal(found[1]) if found else Decimal()
    if not _CENT <= usd <= _MOST_USD:
        raise UsageError(f'"{text}" is not an amount of US dollars.', "Write, for example, 12, 12.50 or $12.")
    return float(_floor(usd, _CENT))


def format_usd(usd: float) -> str:
    """Write US dollars as `$12.50`."""
    return f"${usd:.2f}"


def parse_size_bytes(text: str) -> int:
    """Read `64MB` or `1.5GB`, powers of 1000. Returns: bytes, from 1 to 10**18.

    Raises:
        UsageError: it is no such text.
    """
    found = re.fullmatch(_SIZE_PATTERN, text)
    size = Decimal(found[1]) * _BYTES[found[2].replace("K", "k")] if found else Decimal()
    if not 1 <= size <= _LARGEST_BYTES:
        raise UsageError(f'"{text}" is not a size.', "Write, for example, 500kB, 64MB or 1.5GB.")
    return int(size)


def format_size(size_bytes: int) -> str:
    """Write bytes as `1.5GB`, exactly."""
    unit, factor = next(((unit, factor) for unit, factor in _BYTES.items() if size_bytes >= factor), ("B", 1))
    return f"{_plain(Decimal(size_bytes) / factor)}{unit}"


def _floor(value: Decimal, step: Decimal) -> Decimal:
    """Round down to whole steps: a limit never allows more than was written."""
    return value.quantize(step, rounding=ROUND_DOWN)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
