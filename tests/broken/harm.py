"""Ways to kill launcher at an exact instant: just before its n-th call of one kind to the kernel."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RUNNER_CALLS = {
    "mkdir": 11,
    "rename": 13,
    "fsync": 21,
    "write": 32,
    "vfork,clone,clone3": 3,
    "wait4": 10,
    "unlink": 9,
}
SUBMIT_CALLS = {"mkdir": 9, "rename": 3, "fsync": 2, "chmod": 7, "utimensat": 6, "vfork": 2, "unlink": 2}
"""How often each call is made in a life of three runs, measured; more does no harm."""


def dying(call: str, number: int) -> list[str]:
    """Return what to put before an argv so that it is killed -9 at that call, not what it starts."""
    inject = f"inject={call}:signal=KILL:when={number}"
    return [program("strace"), "-DDD", "-o", os.devnull, "-e", inject, "--"]


def wrapped_runner(place: Path, wrapper: Sequence[str]) -> dict[str, str]:
    """Return the environment in which a submit starts its runner with that before its argv."""
    shim = place / "shim" / "nohup"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(f'#!/bin/sh\nexec {shlex.join([*wrapper, program("nohup")])} "$@"\n')
    shim.chmod(0o755)
    return {"PATH": f"{shim.parent}:{os.environ['PATH']}"}


def program(name: str) -> str:
    """Return where a program lies, which these tests cannot do without."""
    found = shutil.which(name)
    assert found, f"install {name}: it does the harm here"
    return found
