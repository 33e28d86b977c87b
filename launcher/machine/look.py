"""Look at the batches of a home, and end or start their runners.

All of it runs as the user that owns them, never as root: a link, a pipe or a lie that a run leaves there can
do nothing that the run could not do itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

# The words of the batch folder. An island can't import them from the runner; a test compares them.
BATCHES = "batches"
PLAN = "plan.json"
RUNNER = "runner.json"
RUNNER_LOG = "runner.log"
RUNS = "runs"
STATE = "state.json"
REQUESTS = "requests"
CLOSED = frozenset({"succeeded", "failed", "timed_out", "stalled", "cancelled"})

# The words between the runner's side, the client and the deadman
START = "start.json"
POWER_OFF = "poweroff"
INTERRUPTION = "interruption.json"

_CHUNK_BYTES = 64 * 1024
_LIMIT_BYTES = 64 * 1024 * 1024
_REASON_LENGTH = 200
_LOOK_AGAIN_S = 0.1


def look(home: str, *, now: float) -> dict[str, Any]:
    """Return what the deadman has to know of a home, ready for JSON."""
    asked = read_regular(os.path.join(home, POWER_OFF))
    return {
        "asked": None if asked is None else asked[:_REASON_LENGTH].decode("utf-8", "replace").strip(),
        "interrupted": os.path.lexists(os.path.join(home, INTERRUPTION)),
        "batches": [_look_at(folder, now) for folder in batch_folders(home)],
    }


def batch_folders(home: str) -> list[str]:
    """Return the folders of all batches that have a plan, the oldest first."""
    batches = os.path.join(home, BATCHES)
    try:
        found = sorted(os.listdir(batches))
    except OSError:
        return []
    folders = [os.path.join(batches, name) for name in found]
    return [folder for folder in folders if os.path.isfile(os.path.join(folder, PLAN))]


def write_interruption(home: str, notice: str) -> None:
    """Leave word that the machine is being taken away."""
    path = os.path.join(home, INTERRUPTION)
    with open(path + ".new", "w") as file:
        file.write(notice)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def end_runners(
    home: str, *, grace_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    """Tell every runner to end its runs and leave, and wait until they have, at most `grace_s`."""
    left = {pid for folder in batch_folders(home) if (pid := _runner_of(folder))}
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    until = clock() + grace_s
    while left and clock() < until:
        sleep(_LOOK_AGAIN_S)
        left = {pid for pid in left if _is_alive(pid)}


def become_runner(folder: str) -> None:
    """Become the runner of a batch, started as the client starts it. Does not return.

    Raises:
        OSError, ValueError: what the client left does not say how.
    """
    argv = _start_of(folder)
    if not argv:
        raise ValueError(f"{folder} does not say how its runner is started")
    log = os.open(os.path.join(folder, RUNNER_LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.execvp(argv[0], argv)  # noqa: S606 - an argv, as everywhere


def read_regular(path: str) -> bytes | None:
    """Return a file's content; None where there is none that can be read without waiting."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return b"".join(_chunks(file)) if is_regular else None
    except OSError:
        return None


def _chunks(file: FileIO) -> Iterator[bytes]:
    # The kernel makes room for all that a read of /proc/sys asks for, and has none for millions of bytes.
    left = _LIMIT_BYTES
    while left > 0 and (chunk := file.read(_CHUNK_BYTES)):
        left -= len(chunk)
        yield chunk


def _look_at(folder: str, now: float) -> dict[str, Any]:
    beat = _read_object(os.path.join(folder, RUNNER))
    last = max(_seconds(beat.get("heartbeat_at")), _modified_at(os.path.join(folder, START)))
    return {
        "name": os.path.basename(folder),
        "is_open": _is_open(folder),
        # A heartbeat from the future is of a clock that was set back since: the next one will be right.
        "silent_s": max(0.0, now - last),
        "is_same_boot": beat.get("boot_id") in (None, boot_id()),
        "can_start": bool(_start_of(folder)),
    }


def _is_open(folder: str) -> bool:
    """Tell whether a batch has something left to do: runs, also interrupted ones, or a request."""
    requests = os.path.join(folder, REQUESTS)
    if os.path.isdir(requests) and any(name.endswith(".json") for name in os.listdir(requests)):
        return True
    runs = _read_object(os.path.join(folder, PLAN)).get("runs")
    ids = [run.get("id") for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
    # The last run is the last to end, so that a batch at work is known by one file.
    return any(_state_of(folder, str(run)) not in CLOSED for run in reversed(ids))


def _state_of(folder: str, run: str) -> Any:
    return _read_object(os.path.join(folder, RUNS, run, STATE)).get("state")


def _start_of(folder: str) -> list[str]:
    argv = _read_object(os.path.join(folder, START)).get("argv")
    return argv if isinstance(argv, list) and all(isinstance(part, str) for part in argv) else []


def _runner_of(folder: str) -> int:
    """Return the process of a batch's runner, 0 where none is alive; its number may be another's by now."""
    pid = _read_object(os.path.join(folder, RUNNER)).get("pid")
    if not isinstance(pid, int) or pid <= 1:
        return 0
    command = read_regular(f"/proc/{pid}/cmdline") or b""
    return pid if os.fsencode(os.path.basename(folder)) in command else 0


def _is_alive(pid: int) -> bool:
    status = read_regular(f"/proc/{pid}/stat") or b""
    return bool(status) and status.rpartition(b")")[2].split()[:1] != [b"Z"]


def _read_object(path: str) -> dict[str, Any]:
    try:
        value = json.loads(read_regular(path) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _modified_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _seconds(text: Any) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def boot_id() -> str:
    """Return what tells this boot of the computer from all others."""
    return (read_regular("/proc/sys/kernel/random/boot_id") or b"").decode().strip()
