"""Processes: who they are, which belong together, how they are ended. Knows nothing of runs and batches.

On Linux everything is read from /proc, and the runner is a subreaper: what a run leaves behind becomes the
runner's child, however often it forked. Elsewhere `ps` tells groups and descendants; a daemon that left
both is not found there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from launcher.runner.disk import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

_PATIENCE = 500  # a process in the middle of a disk read dies late
_PR_SET_CHILD_SUBREAPER = 36
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_CHILDREN = "/proc/{0}/task/{0}/children"
_HAS_PROC = os.path.exists(_BOOT_ID)


class Process(NamedTuple):
    """A process as the kernel tells it; `started` distinguishes two that had the same pid."""

    pid: int
    parent: int
    group: int
    session: int
    started: str
    is_zombie: bool


def boot_id() -> str:
    """Return a text that changes when the computer starts anew."""
    if _HAS_PROC:
        with open(_BOOT_ID) as file:
            return file.read().strip()
    return _output(["sysctl", "-n", "kern.bootsessionuuid"])


def become_subreaper() -> None:
    """Make orphaned descendants our children, where the system can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def find_process(pid: int) -> Process | None:
    """Return the process of that id, None where there is none."""
    return _from_proc(pid) if _HAS_PROC else next((p for p in _from_ps() if p.pid == pid), None)


def find_children() -> set[int]:
    """Return the ids of our own children, those that we inherited included."""
    own = os.getpid()
    try:
        return {int(pid) for pid in read_bytes(_CHILDREN.format(own)).split()}
    except OSError:  # no /proc, or a kernel built without this file
        return {process.pid for process in all_processes() if process.parent == own}


def all_processes() -> list[Process]:
    """Return every process of this computer that we may see."""
    if not _HAS_PROC:
        return _from_ps()
    found = (_from_proc(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def find_members(*, leaders: Iterable[int] = (), marker: bytes = b"") -> set[int]:
    """Return the living processes that belong to a run.

    Args:
        leaders: processes whose session, group and descendants belong to it.
        marker: an entry of the environment that all of its processes inherit.
    """
    processes = [process for process in all_processes() if not process.is_zombie]
    members = {p.pid for p in processes if marker and marker in read_environment(p.pid)}
    members |= {p.pid for p in processes if {p.pid, p.group, p.session} & set(leaders)}
    grown = True
    while grown:
        more = {p.pid for p in processes if p.parent in members} - members
        members |= more
        grown = bool(more)
    return members - {os.getpid()}


def read_environment(pid: int) -> list[bytes]:
    """Return the entries that a process was started with; empty where they can't be read."""
    try:
        return read_bytes(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def count_ticks(pids: Iterable[int]) -> int:
    """Return how much processor time these processes took so far, in ticks of the kernel's clock."""
    return sum(_ticks_of(pid) for pid in pids)


def send_signal(pids: Iterable[int], number: int) -> None:
    """Signal each process that still exists and that we may signal."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_at_once(*, leaders: Iterable[int] = (), marker: bytes = b"") -> int:
    """Kill all members, and those they make meanwhile. Returns: how many were killed."""
    killed: set[int] = set()
    leaders = tuple(leaders)
    for _ in range(_PATIENCE):
        members = find_members(leaders=leaders, marker=marker)
        if not members:
            break
        send_signal(members, signal.SIGKILL)
        killed |= members
        time.sleep(0.01)
    return len(killed)


def _ticks_of(pid: int) -> int:
    try:
        fields = read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _from_proc(pid: int) -> Process | None:
    try:
        # The name, in parentheses, may itself hold spaces and parentheses.
        fields = read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None
    state, parent, group, session = fields[:4]
    return Process(pid, int(parent), int(group), int(session), fields[19].decode(), state in b"ZX")


def _from_ps() -> list[Process]:
    lines = _output(["ps", "-A", "-o", "pid=,ppid=,pgid=,state=,lstart="]).splitlines()
    rows = (line.split(None, 4) for line in lines)
    # `ps` of macOS tells no session; a run's leader is the leader of its group as well.
    return [Process(int(r[0]), int(r[1]), int(r[2]), int(r[2]), r[4], r[3].startswith("Z")) for r in rows]


def _output(argv: list[str]) -> str:
    # `ps` tells times in the zone and words of its environment; two runners must read the same.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=environment)
    return done.stdout.strip()
