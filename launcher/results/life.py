"""Tell whether the runner of a batch lives. Looks only: it never signals, waits or writes.

On the computer of the runner its lock is the truth: the kernel frees it at the instant the runner dies.
Elsewhere (another computer, or this one after a restart) only the heartbeat can be looked at. To look takes
the lock, shared, for microseconds: a runner tries again before it believes that another one holds its lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.results.files import parse_object, parse_time, read_bytes, whole, words
from launcher.results.records import RunnerRecord
from launcher.runner import names
from launcher.runner.lock import is_held

if TYPE_CHECKING:
    from datetime import datetime

SMALL_FILE_BYTES = 1 << 20


def look_at_runner(place: str, *, now: datetime, boot_id: str | None) -> RunnerRecord:
    """Look at the runner of the batch in the folder `place`.

    Args:
        place: the batch folder.
        now: the time, with its zone.
        boot_id: of this computer since its last start; None where that is unknown.
    """
    data = read_bytes(f"{place}/{names.RUNNER}", limit_bytes=SMALL_FILE_BYTES)
    known = {} if data is None else parse_object(data) or {}
    gone = _why_gone(place, known, now=now, boot_id=boot_id)
    return RunnerRecord(
        started=data is not None or not gone,
        alive=not gone,
        pid=whole(known.get("pid")),
        version=words(known.get("version")),
        heartbeat_at=words(known.get("heartbeat_at")),
        gone=gone,
    )


def _why_gone(place: str, known: dict[str, Any], *, now: datetime, boot_id: str | None) -> str:
    if _is_lock_held(place):  # also by a new runner that has not replaced its predecessor's runner.json yet
        return ""
    there = known.get("boot_id")
    if there is None or there == boot_id:
        return "its runner is gone"
    heartbeat = parse_time(known.get("heartbeat_at"))
    if heartbeat is None:
        return "its runner left no sign of life"
    silent_s = (now - heartbeat).total_seconds()
    # Negative after the clock jumped back, which proves nothing.
    if silent_s <= names.HEARTBEAT_LOST_S:
        return ""
    return f"its runner has been silent for {silent_s:.0f} s; its computer stopped or was restarted"


def _is_lock_held(place: str) -> bool:
    try:
        return is_held(f"{place}/{names.RUNNER_LOCK}")
    except OSError:  # a file system without locks: nobody can hold one
        return False
