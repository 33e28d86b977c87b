"""A warm worker: it does the imports of a job's script and nothing else, then forks a process for each run.

The runner starts it and talks to it through one socket: lines of JSON, and with each request for a run the
run's own stream. What is asked and answered:

    {"imports": [[module, [names]], ...],      {"ready": true, "modules": [...]}, or {"cold": why} and the end
     "variables": [[name, value, is_default], ...]}
    {"argv", "cwd", "own", "pwd"}, a stream    {"pid": n}, or {"cold": why}
                                               {"pid": n, "status": s} when that process has ended

It ends with the runner: the kernel kills it then, and so does the end of the socket. It may touch nothing
that does not survive a fork: no operation of TensorFlow or JAX, no GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys

from .launcher_warm_end import End
from .launcher_warm_guard import count_threads, find_obstacle
from .launcher_warm_mark import Mark
from .launcher_warm_run import Request, become, run_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Import = tuple[str, list[str]]
    Variable = tuple[str, str, bool]

_PR_SET_PDEATHSIG = 1
_CHUNK_BYTES = 65536
_INT_BYTES = 4
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC


def serve(descriptor: int, runner: int) -> None:
    """Serve until the runner is gone; where this returns, it is in the process of a run that has ended.

    Args:
        descriptor: of the socket to the runner.
        runner: the runner's process id.
    """
    _die_with(runner)
    end = End()
    worker = _Worker(socket.socket(fileno=descriptor))
    request = worker.serve()
    if request is None:
        os._exit(0)
    become(request)
    with end:
        run_script(request.argv)


def _die_with(parent: int) -> None:
    """Have the kernel end this process together with its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _live_on() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


class _Worker:
    """The worker's own process."""

    def __init__(self, runner: socket.socket) -> None:
        self._runner = runner
        self._runner.set_inheritable(False)
        self._mark = Mark()
        self._children: set[int] = set()
        self._threads = 0
        self._wake_read, self._wake_write = os.pipe()
        self._received = b""
        self._streams: list[int] = []

    def serve(self) -> Request | None:
        """Answer requests. Returns: in a run's process what it is to run; in the worker, at the end, None."""
        self._listen_to_children()
        while True:
            select.select([self._runner.fileno(), self._wake_read], [], [])
            self._report_ended()
            messages = self._receive()
            if messages is None:
                return None
            for message in messages:
                request = self._carry_out(message)
                if request is not None:
                    return request

    def _carry_out(self, message: dict[str, Any]) -> Request | None:
        if "imports" in message:
            self._warm_up(message["imports"], message["variables"])
            return None
        stream = self._streams.pop(0)
        request = Request(stream=stream, **message)
        obstacle = self._mark.find_obstacle(request.own) or find_obstacle(threads=self._threads)
        if obstacle:
            self._send(cold=obstacle)
            os.close(stream)
            return None
        return self._fork(request)

    # Warm up

    def _warm_up(self, imports: Iterable[Import], variables: Iterable[Variable]) -> None:
        obstacle = self._mark.find_obstacle({})
        if not obstacle:
            try:
                _import_all(imports, variables)
            except BaseException as error:  # noqa: BLE001  # the script will tell it itself
                obstacle = f"{type(error).__name__}: {error}"
        obstacle = obstacle or find_obstacle(threads=None)
        if obstacle:
            self._send(cold=obstacle)
            os._exit(0)
        # What was imported lives as long as the process. Left to the collector, every run would walk through
        # all of it again and again, and copy it on the way: half of the time of a short one.
        gc.collect()
        gc.freeze()
        self._threads = count_threads()
        self._send(ready=True, modules=sorted({name.partition(".")[0] for name in sys.modules}))

    # Runs

    def _fork(self, request: Request) -> Request | None:
        worker = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._send(cold=f"no process could be forked: {error.strerror}")
            os.close(request.stream)
            return None
        if pid == 0:
            self._leave(worker, request)
            return request
        os.close(request.stream)
        self._children.add(pid)
        return None

    def _leave(self, worker: int, request: Request) -> None:
        """Become a process of its own: until it can be found by its mark, it ends with the worker.

        Only then is the runner told, which may end the worker from then on.
        """
        _die_with(worker)
        self._mark.write(request.own)
        _live_on()
        self._send(pid=os.getpid())
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)
        self._runner.close()

    def _listen_to_children(self) -> None:
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _report_ended(self) -> None:
        try:
            os.read(self._wake_read, _CHUNK_BYTES)
        except BlockingIOError:
            return
        for pid in tuple(self._children):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                # Told before it is reaped: where we die in between, the runner reaps it itself.
                self._send(pid=pid, status=_status_of(ended))
                os.waitpid(pid, 0)
                self._children.discard(pid)

    # The socket

    def _send(self, **message: Any) -> None:
        try:
            self._runner.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # the runner is gone, and so are we
            os._exit(0)

    def _receive(self) -> list[dict[str, Any]] | None:
        """Return what has come; None at the end."""
        try:
            # Not socket.recv_fds: it ignores its flags, and waits for what may never come.
            data, ancillary, _, _ = self._runner.recvmsg(_CHUNK_BYTES, socket.CMSG_LEN(_INT_BYTES), _FLAGS)
        except BlockingIOError:
            return []
        except OSError:
            return None
        for _, _, descriptors in ancillary:
            self._streams += memoryview(descriptors).cast("i")
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        return [json.loads(line) for line in lines] if data else None


def _import_all(imports: Iterable[Import], variables: Iterable[Variable]) -> None:
    """Import as the script would, with the variables that it sets before."""
    undo = list(_set_variables(variables))
    for module, names in imports:
        with contextlib.suppress(ImportError):  # the script says so itself, or has an answer to it
            __import__(module, fromlist=names)
    for name, ours, before in undo:
        if os.environ.get(name) == ours:
            _put(name, before)


def _set_variables(variables: Iterable[Variable]) -> Iterator[tuple[str, str, str | None]]:
    for name, value, is_default in variables:
        before = os.environ.get(name)
        if before is None or not is_default:
            _put(name, value)
            yield name, value, before


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _status_of(ended: Any) -> int:
    """Return the status as waitpid would have told it."""
    number: int = ended.si_status
    if ended.si_code == os.CLD_EXITED:
        return number << 8
    return number | (0x80 if ended.si_code == os.CLD_DUMPED else 0)
