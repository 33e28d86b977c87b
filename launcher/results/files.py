"""Read files that somebody may be writing or may have broken. Never writes, waits, or raises for content."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

# A named pipe or a device in place of a file must not make a reader wait; O_BINARY exists on Windows only.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
SMALL_BYTES = 1 << 16
LARGEST_BYTES = 1 << 30


def read_object(path: str, *, limit_bytes: int = LARGEST_BYTES) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none, or it cannot be read."""
    data = read_bytes(path, limit_bytes=limit_bytes)
    return None if data is None else parse_object(data)


def parse_object(data: bytes) -> dict[str, Any] | None:
    """Parse a JSON object; None where the bytes are not one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def read_bytes(path: str, *, limit_bytes: int = LARGEST_BYTES) -> bytes | None:
    """Read a file whole, or its first `limit_bytes`; None where there is no file, or it cannot be read."""
    try:
        descriptor = os.open(path, FLAGS)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    try:
        return _read_to_end(descriptor, limit_bytes)
    except OSError:  # a folder, or a pipe that nobody writes
        return None
    finally:
        os.close(descriptor)


def read_end(path: str, *, size_bytes: int) -> bytes:
    """Read the last bytes of a file; empty where there is no file, or it cannot be read."""
    try:
        descriptor = os.open(path, FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        os.lseek(descriptor, max(0, os.fstat(descriptor).st_size - size_bytes), os.SEEK_SET)
        return os.read(descriptor, size_bytes)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def parse_time(text: object) -> datetime | None:
    """Parse an ISO 8601 time; None where it is not one. A time without a zone is UTC."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def whole(value: object) -> int | None:
    """Return a whole number as it is, and None for anything else."""
    return value if type(value) is int else None


def words(value: object) -> str | None:
    """Return a text as it is, and None for anything else."""
    return value if type(value) is str else None


def _read_to_end(descriptor: int, limit_bytes: int) -> bytes:
    first = os.read(descriptor, min(SMALL_BYTES, limit_bytes))
    if len(first) < SMALL_BYTES:  # nearly every file: one read, no copy
        return first
    pieces, size = [first], len(first)
    while size < limit_bytes and (piece := os.read(descriptor, min(1 << 20, limit_bytes - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
