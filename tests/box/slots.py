"""Numbers for machines: each names one network and one cgroup, and is taken by one machine at a time.

A number is held by a lock that ends with the keeper, so that a test run which is killed gives it back; what
the kernel does not tidy up by itself is tidied up by whoever takes the number next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

_FOLDER = Path("/run/launcher-box")
_CGROUPS = Path("/sys/fs/cgroup")
_MANY = 250
_TRIES = 100


def take_slot() -> tuple[int, int]:
    """Return a free number, from 1, and the descriptor that holds it."""
    _FOLDER.mkdir(exist_ok=True)
    for number in range(1, _MANY):
        descriptor = os.open(_FOLDER / str(number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        clear_away(name_of(number))
        return number, descriptor
    raise RuntimeError(f"All {_MANY} machines are taken.")


def sweep() -> None:
    """Clear away what killed test runs left."""
    for number in [int(path.name) for path in _FOLDER.glob("*")]:
        descriptor = os.open(_FOLDER / str(number), os.O_RDWR)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear_away(name_of(number))
        os.close(descriptor)


def name_of(number: int) -> str:
    """Return what interface and cgroup are called."""
    return f"box{number}"


def clear_away(name: str) -> None:
    """End what is left of a machine, and remove its interface and its cgroups."""
    tops = [root / name for root in (_CGROUPS, _CGROUPS / "unified", _CGROUPS / "systemd")]
    for _ in range(_TRIES):
        folders = [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]
        for pid in {int(pid) for folder in folders for pid in (folder / "cgroup.procs").read_text().split()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not any(top.exists() for top in tops):
            break
        time.sleep(0.02)
    if Path("/sys/class/net", name).exists():  # its other end may be on the way out by itself
        subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL, check=False, timeout=60)
