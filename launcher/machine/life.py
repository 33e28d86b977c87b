"""How long this machine has been up since it was armed, whatever its clock says, and over reboots."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import NamedTuple

from launcher.machine.look import boot_id, read_regular

_FILE = "life.json"
_ARMED = "armed"


class Life(NamedTuple):
    """Seconds of the boots before, of this boot, and the moment when there last was work."""

    boot_id: str
    before_s: float
    age_s: float
    busy_at_s: float

    @property
    def lived_s(self) -> float:
        """All the time that the machine has been up."""
        return self.before_s + self.age_s


def read_life(folder: str) -> Life:
    """Return the machine's life so far, from what the last tick left; the first tick begins it."""
    boot, age_s = boot_id(), age_of_boot()
    try:
        last = Life(**json.loads(read_regular(os.path.join(folder, _FILE)) or b""))
        before_s = last.before_s if last.boot_id == boot else last.lived_s
        return Life(boot, before_s, age_s, last.busy_at_s)
    except (ValueError, TypeError):
        return Life(boot, 0.0, age_s, age_s)


def write_life(folder: str, life: Life) -> None:
    """Keep what the next tick has to know. A full disk loses no more than that."""
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        write_whole(os.path.join(folder, _FILE), json.dumps(life._asdict()))
        armed = os.path.join(folder, _ARMED)
        if not os.path.exists(armed):
            write_whole(armed, f"{int(time.time())}\n")


def age_of_boot() -> float:
    """Return the seconds since this system's first process started."""
    fields = (read_regular("/proc/1/stat") or b"").rpartition(b")")[2].split()
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s


def write_whole(path: str, text: str) -> None:
    """Write a file, whole or not at all."""
    with open(path + ".new", "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)
