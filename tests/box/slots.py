"""Numbers for machines: each names one network and one cgroup, and is taken by one machine at a time.

A number is held by a lock that ends with the keeper, so that a test run which is killed gives it back; what
the kernel does not tidy up by itself is tidied up by whoever takes the number next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
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
        remove_cgroups(name_of(number))
        return number, descriptor
    raise RuntimeError(f"All {_MANY} machines are taken.")


def name_of(number: int) -> str:
    """Return what interface and cgroup are called."""
    return f"box{number}"


def remove_cgroups(name: str) -> None:
    """Remove the cgroups of a machine that is gone; its last processes may still be dying."""
    tops = [root / name for root in (_CGROUPS, _CGROUPS / "unified", _CGROUPS / "systemd")]
    for _ in range(_TRIES):
        for folder in [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not any(top.exists() for top in tops):
            return
        time.sleep(0.02)
