"""Tell whether the runner of a batch lives. Looks only: it never signals, waits or writes.

On the computer of the runner its lock is the truth: the kernel frees it at the instant the runner dies.
Elsewhere (another computer, or this one after a restart) only the heartbeat can be looked at. To look takes
the lock, shared, for microseconds: a runner tries again before it believes that another one holds its lock.
Of a batch that runs on another computer it counts what was seen there when its files were last fetched, by
that computer's lock and clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.results.files import parse_object, parse_time, read_bytes, read_object, whole, words
from launcher.results.records import RunnerRecord
from launcher.runner import names
from launcher.runner.lock import is_held
from launcher.runner.requests import pending_requests

if TYPE_CHECKING:
    from datetime import datetime

SMALL_FILE_BYTES = 1 << 20
START_S = 30.0  # the longest that a runner takes to come to life


def look_at_runner(place: str, *, now: datetime, boot_id: str | None) -> RunnerRecord:
    """Look at the runner of the batch in the folder `place`.

    Args:
        place: the batch folder.
        now: the time, with its zone.
        boot_id: of this computer since its last start; None where that is unknown.
    """
    data = read_bytes(f"{place}/{names.RUNNER}", limit_bytes=SMALL_FILE_BYTES)
    known = {} if data is None else parse_object(data) or {}
    seen = read_object(f"{place}/{names.SEEN}", limit_bytes=SMALL_FILE_BYTES)
    is_here = seen is None
    gone = (
        _why_gone(place, known, now=now, boot_id=boot_id) if is_here else _why_gone_there(known, seen or {})
    )
    return RunnerRecord(
        started=data is not None or not gone,
        alive=not gone,
        pid=whole(known.get("pid")),
        version=words(known.get("version")),
        heartbeat_at=words(known.get("heartbeat_at")),
        gone=gone,
        seen_at=words((seen or {}).get("pulled_at")),
        is_coming=is_being_submitted(place),
    )


def is_being_submitted(place: str) -> bool:
    """Tell whether somebody on this computer is still bringing the batch to where it runs."""
    return _is_lock_held(place, names.SUBMIT_LOCK)


def count_requests(place: str) -> int:
    """Return how many requests the runner of a batch has not carried out yet."""
    seen = read_object(f"{place}/{names.SEEN}", limit_bytes=SMALL_FILE_BYTES)
    if seen is None:
        return sum(1 for _ in pending_requests(place))
    return whole(seen.get("requests")) or 0


def _why_gone_there(known: dict[str, Any], seen: dict[str, Any]) -> str:
    is_alive = seen.get("is_alive")
    if is_alive is None:  # its disk alone was read
        return _why_silent(known, parse_time(seen.get("at")))
    return "" if is_alive else "its runner is gone"


def _why_gone(place: str, known: dict[str, Any], *, now: datetime, boot_id: str | None) -> str:
    # A new runner holds it before it has replaced its predecessor's runner.json.
    if _is_lock_held(place, names.RUNNER_LOCK):
        return ""
    there = known.get("boot_id")
    if there is None or there == boot_id:
        return "its runner is gone"
    return _why_silent(known, now)


def _why_silent(known: dict[str, Any], now: datetime | None) -> str:
    heartbeat = parse_time(known.get("heartbeat_at"))
    if heartbeat is None or now is None:
        return "its runner left no sign of life"
    silent_s = (now - heartbeat).total_seconds()
    # Negative after the clock jumped back, which proves nothing.
    if silent_s <= names.HEARTBEAT_LOST_S:
        return ""
    return f"its runner has been silent for {silent_s:.0f} s; its computer stopped or was restarted"


def _is_lock_held(place: str, lock: str) -> bool:
    try:
        return is_held(f"{place}/{lock}")
    except OSError:  # a file system without locks: nobody can hold one
        return False
