"""Start the process of a run afresh: in a session of its own, both streams into one pipe."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def spawn(argv: Sequence[str], *, cwd: str, environment: dict[str, str], stream: int) -> int:
    """Start a process. Returns: its pid.

    Raises:
        OSError: there is no such program, or it can't be started.
        ValueError: an argument holds a NUL.
    """
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        start_new_session=True,
        close_fds=False,  # ours all close on exec, which the child need not look up
    )
    process.returncode = 0  # the runner reaps all children itself; Popen need not look
    return process.pid
