"""Power off: runners first, with grace; then the system; then by force. Nothing here can wait for ever."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from launcher.machine.life import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STEP_TIMEOUT_S = 30.0
_FORCE_AFTER_S = 120.0


def run_program(argv: Sequence[str], *, timeout_s: float) -> bytes | None:
    """Run a program that may fail or hang. Returns: what it wrote, None where it did not end well."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout_s, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")
        return None
    return done.stdout


def power_off(
    reason: str,
    *,
    state: str,
    end_runners: Sequence[str],
    grace_s: float,
    run: Callable[..., object] = run_program,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """End this machine.

    Args:
        reason: why; kept on the disk, which outlives the machine.
        state: the folder for that.
        end_runners: the program that ends the runners, as their user; empty where there are none.
        grace_s: how long that may take.
    """
    sys.stderr.write(f"Powering off: {reason}\n")
    with contextlib.suppress(OSError):
        write_whole(os.path.join(state, "reason"), reason + "\n")
    if end_runners:
        run(end_runners, timeout_s=grace_s + _STEP_TIMEOUT_S)
    run(["sync"], timeout_s=_STEP_TIMEOUT_S)
    run(["systemctl", "poweroff", "-i"], timeout_s=_STEP_TIMEOUT_S)
    sleep(_FORCE_AFTER_S)
    run(["systemctl", "poweroff", "--force", "--force"], timeout_s=_STEP_TIMEOUT_S)
