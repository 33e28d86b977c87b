"""The programs of a rented machine, in one zip. Home calls `lease` and `start`, systemd the rest.

As root:      tick | lease SECONDS | start BATCH | spot
As the user:  look HOME | end HOME GRACE_S | interrupt HOME GRACE_S NOTICE | become BATCH_FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from launcher.machine import look, spot
from launcher.machine.deadman import Deadman
from launcher.machine.rules import read_rules

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Carry out one command line. Returns: the exit code."""
    try:
        return _carry_out(*words)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _carry_out(command: str = "", *rest: str) -> int:
    match command, rest:
        case "tick", ():
            Deadman().tick()
        case "lease", (seconds,):
            Deadman().grant_lease(float(seconds))
        case "start", (batch,):
            return 0 if Deadman().start(batch) else 1
        case "spot", ():
            spot.watch(read_rules(), sleep=time.sleep)
        case _:
            return _as_user(command, *rest)
    return 0


def _as_user(command: str, *rest: str) -> int:
    match command, rest:
        case "look", (home,):
            sys.stdout.write(json.dumps(look.look(home, now=time.time())))
        case "end", (home, grace_s):
            look.end_runners(home, grace_s=float(grace_s), clock=time.monotonic, sleep=time.sleep)
        case "interrupt", (home, grace_s, notice):
            look.write_interruption(home, notice)
            look.end_runners(home, grace_s=float(grace_s), clock=time.monotonic, sleep=time.sleep)
        case "become", (folder,):
            look.become_runner(folder)
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
