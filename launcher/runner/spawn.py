"""Start the process of a run afresh: in a session of its own, both streams into one pipe."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def spawn(argv: Sequence[str], *, cwd: str, environment: dict[str, str], stream: int) -> int:
    """Start a process. Returns: its pid.

    Raises:
        OSError: there is no such program, or it can't be started.
        ValueError: an argument holds a NUL.
    """
    program = _find(argv[0], environment)
    if program is not None:
        try:
            return _spawn_at_once(program, argv, cwd, environment, stream)
        except OSError:
            pass  # Popen knows more ways, and explains why there is none
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


def _find(program: str, environment: dict[str, str]) -> str | None:
    """Return where Popen would find a program; None where it is better asked."""
    if sys.platform != "linux":
        return None
    return program if "/" in program else _search(program, environment.get("PATH", os.defpath))


@functools.cache
def _search(program: str, path: str) -> str | None:
    """Look a program up once; None where it may be another one in each run's folder."""
    folders = path.split(os.pathsep)
    if not all(map(os.path.isabs, folders)):
        return None
    paths = (os.path.join(folder, program) for folder in folders)
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def _spawn_at_once(
    program: str, argv: Sequence[str], cwd: str, environment: dict[str, str], stream: int
) -> int:
    """Start a process in half of Popen's time; it begins in our working directory, which is nobody else's."""
    os.chdir(cwd)
    try:
        return os.posix_spawn(
            program,
            tuple(argv),
            environment,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, stream, 1),
                (os.POSIX_SPAWN_DUP2, stream, 2),
            ),
            setsid=True,
            setsigdef=_IGNORED_BY_PYTHON,
        )
    finally:
        os.chdir("/")
