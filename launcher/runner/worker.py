"""The runner's side of a warm worker: start it, ask it for processes, hear how they ended, end it.

What the two say to each other stands in hooks/launcher_warm.py.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.runner.plain import read_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PADDING = "LAUNCHER_WARM"
_ROOM_BYTES = 16 * 1024
_ANSWER_S = 20.0  # a fork takes some milliseconds
_WARM_UP_S = 300.0  # TensorFlow from a cold disk takes some ten seconds
_CHUNK_BYTES = 1024 * 1024
_START = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from _launcher_hooks.launcher_warm import serve; serve(*map(int, sys.argv[1:]))"
)


class WorkerError(Exception):
    """The worker gave no process; its text says why."""


class Launch(NamedTuple):
    """A process to start.

    Attributes:
        argv: a plain command.
        cwd: where.
        own: the variables that no other run has.
    """

    argv: Sequence[str]
    cwd: str
    own: Mapping[str, str]


class Worker:
    """A process that has imported what scripts need.

    Attributes:
        pid: of its process.
        is_ready: whether it can be asked for processes.
        obstacle: why it can't any more, None where it can or will.
        modules: the packages that it holds.
        is_over: whether it will say nothing more.
        is_gone: whether its process was reaped.
        ended: the statuses of its processes that ended, by pid, for the runner to take.
    """

    def __init__(
        self, python: str, *, environment: Mapping[str, str], imports: Sequence[Any], variables: Sequence[Any]
    ) -> None:
        self.is_ready = self.is_over = self.is_gone = False
        self.obstacle: str | None = None
        self.modules: frozenset[str] = frozenset()
        self.ended: dict[int, int] = {}
        self._received = b""
        self._began = time.monotonic()
        self._forked = 0
        self.socket, theirs = socket.socketpair()
        self.pid = _start(python, theirs, environment)
        self._send({"imports": imports, "variables": variables})

    def check(self) -> bool:
        """Tell whether it is ready; where that takes too long it never will be."""
        if not self.is_ready and time.monotonic() - self._began > _WARM_UP_S:
            self.obstacle = self.obstacle or "its imports take too long"
        return self.is_ready

    def fork(self, launch: Launch, stream: int) -> int:
        """Have a process forked, both its streams going to `stream`. Returns: its pid.

        Raises:
            WorkerError: none was, and none will be.
        """
        self._forked = 0
        plain = read_plain(launch.argv)
        if plain is None:
            raise WorkerError("it is no plain command")
        request = {"argv": plain.words, "cwd": launch.cwd, "own": launch.own, "pwd": plain.is_shell}
        self._send(request, stream)
        while not (self._forked or self.obstacle):
            if not select.select([self.socket], [], [], _ANSWER_S)[0]:
                self.obstacle = "it does not answer"
            else:
                self.read()
        if not self._forked:
            raise WorkerError(self.obstacle)
        return self._forked

    def read(self) -> None:
        """Take in what it said."""
        try:
            data = self.socket.recv(_CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            self.obstacle = self.obstacle or "it died"
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def end(self) -> None:
        """End it at once. What it forked lives on, as the runner's own children.

        It may have told the end of some of these, and reaped them: it is to be read until it is over.
        """
        if not self.is_gone:
            os.kill(self.pid, signal.SIGKILL)

    def _take(self, message: dict[str, Any]) -> None:
        if "status" in message:
            self.ended[message["pid"]] = message["status"]
        elif "pid" in message:
            self._forked = message["pid"]
        elif "ready" in message:
            self.is_ready, self.modules = True, frozenset(message["modules"])
        else:
            self.obstacle = message["cold"]

    def _send(self, message: Mapping[str, Any], *streams: int) -> None:
        content = json.dumps(message).encode() + b"\n"
        self.socket.settimeout(_ANSWER_S)
        try:
            sent = socket.send_fds(self.socket, [content], streams) if streams else 0
            self.socket.sendall(content[sent:])
        except OSError:
            self.obstacle = self.obstacle or "it takes no requests"


def _start(python: str, theirs: socket.socket, environment: Mapping[str, str]) -> int:
    with theirs:
        theirs.set_inheritable(True)
        process = subprocess.Popen(
            [python, "-c", _START, str(theirs.fileno()), str(os.getpid())],
            cwd="/",
            env={**environment, _PADDING: "x" * _ROOM_BYTES},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=False,
        )
    process.returncode = 0  # the runner reaps all children itself; Popen need not look
    return process.pid
