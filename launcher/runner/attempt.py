"""One process of one run: from its start until nothing of it is left. Writes its log, no state."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from launcher.runner import names, processes
from launcher.runner.batch import Outcome, explain_os_error
from launcher.runner.environment import marker_of
from launcher.runner.folders import file_time_ns
from launcher.runner.hang import HangWatch
from launcher.runner.log import CappedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from launcher.runner.slots import Place

_READ_BYTES = 1024 * 1024
_LEFTOVER_GRACE_S = 2.0
_LOOK_AGAIN_S = 0.05
_NO_PROGRAM = 127
TOLD_BY_SHELL = 128  # and the number of the signal that killed what it started
_FATAL = frozenset(
    {
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGTERM,
    }
)


class Attempt:
    """A run that runs.

    Args:
        run: its index in the batch.
        number: which attempt this is, from 1.
        folder: the run's folder.
        run_s: its time limit in seconds.
        stall_s: the longest that it may go without a byte of log or an epoch.
        grace_s: the time between SIGTERM and SIGKILL.
        is_trial: whether its numbers are wanted for a comparison alone.
    """

    def __init__(
        self,
        run: int,
        *,
        number: int,
        place: Place,
        folder: str,
        run_s: float | None,
        stall_s: float | None,
        grace_s: float,
        is_trial: bool = False,
    ) -> None:
        self.is_trial = is_trial
        self.run, self.number, self.place, self.folder = run, number, place, folder
        self.pid = 0
        self.pipe = -1
        self.log = CappedLog(f"{folder}/{names.LOG}")
        self.since_ns = 0
        self.verdict: Outcome | None = None
        self.hang: HangWatch | None = None
        self.has_hung = False
        self._marker = marker_of(folder)
        self._run_s, self._stall_s, self._grace_s = run_s, stall_s, grace_s
        self._status: int | None = None
        self._kill_at: float | None = None
        self._look_at = 0.0
        self._began = self._last_sign = 0.0
        self._last_epoch: tuple[int, int] | None = None

    def start(self, launch: Callable[[int], int], *, now: float) -> None:
        """Start the process, both its streams into one pipe.

        Args:
            launch: starts it with its streams going to this descriptor, and returns its pid.

        Raises:
            OSError: there is no such program, or it can't be started.
            ValueError: an argument holds a NUL.
        """
        self._began = self._last_sign = now
        if self.number > 1:
            self.log.write(f"[launcher: attempt {self.number}]\n".encode())
        self._last_epoch = self._read_epoch()
        self.since_ns = file_time_ns()
        self.pipe, write_end = os.pipe()
        os.set_blocking(self.pipe, False)
        try:
            self.pid = launch(write_end)
        finally:
            os.close(write_end)

    def watch_for_hang(self, limit_s: float) -> None:
        """Say that the process was forked from a warm worker, which can make it hang."""
        self.hang = HangWatch(self.folder, leader=self.pid, marker=self._marker, limit_s=limit_s)

    def read_log(self, now: float) -> bool:
        """Move what the process wrote into the log. Returns: whether more may come."""
        try:
            content = os.read(self.pipe, _READ_BYTES)
        except BlockingIOError:
            return False
        if content:
            self._last_sign = now
            self._append(content, now)
        return bool(content)

    def seconds(self, now: float) -> float:
        """Return for how long it has been running."""
        return now - self._began

    @property
    def has_exited(self) -> bool:
        """Whether the main process is gone; what it started may still be there."""
        return self._status is not None

    def exited(self, status: int) -> None:
        """Say how the main process ended, as waitpid told it."""
        self._status = status

    def end(self, state: str, reason: str, *, now: float) -> None:
        """Ask all of this run to end, then kill what did not within the grace. The first verdict stays."""
        if self.verdict is None and self._status is None:
            self.verdict = Outcome(state, None, None, reason)
            self._ask_to_end(
                processes.find_members(leaders=[self.pid], marker=self._marker), now, self._grace_s
            )

    def check_limits(self, now: float) -> None:
        """End the run where it took too long, or shows no sign of life."""
        if self._run_s is not None and now - self._began > self._run_s:
            self.end(names.TIMED_OUT, f"ran longer than its limit of {self._run_s:g} s", now=now)
        elif self._stall_s is not None and now - self._find_last_sign(now) > self._stall_s:
            self.end(names.STALLED, f"no log byte and no epoch for {self._stall_s:g} s", now=now)
        elif self.hang is not None and self.verdict is None and self.hang.is_hung(now):
            self.has_hung = True
            self.end(names.INTERRUPTED, "it hung in its first batch, and starts afresh", now=now)

    def is_over(self, now: float, *, orphans: Collection[int], own: Collection[int]) -> bool:
        """Tell whether nothing of the run is left; on the way there end what is.

        Args:
            orphans: our children that are no run's main process.
            own: those of them that nobody else can have left.
        """
        if self._status is None:
            self._kill_when_due(now)
            return False
        if now < self._look_at or not (orphans or self._group_exists()):
            return now >= self._look_at
        members = processes.find_members(leaders=[self.pid, *own], marker=self._marker)
        self._look_at = now + _LOOK_AGAIN_S
        if not members:
            return True
        if self._kill_at is None:
            self._ask_to_end(members, now, _LEFTOVER_GRACE_S)
        elif now >= self._kill_at:
            processes.send_signal(members, signal.SIGKILL)
        return False

    def outcome(self) -> Outcome:
        """Return how it ended, once it is over."""
        code, number = _decode(self._status or 0)
        if self.verdict is not None:
            return self.verdict._replace(exit_code=code, signal=number)
        if code == 0:
            return Outcome(names.SUCCEEDED, 0, None, None)
        return Outcome(names.FAILED, code, number, _explain(code, number))

    def close(self) -> None:
        """Take the rest of the log and let go of files."""
        while self.pipe >= 0 and self.read_log(0.0):
            pass
        if self.pipe >= 0:
            os.close(self.pipe)
        self.log.close()

    def next_look(self, now: float) -> float:
        """Return for how many seconds nothing about this run need be looked at."""
        due = [self._kill_at, self._look_at or None]
        due += [self._began + self._run_s] if self._run_s is not None else []
        due += [self._last_sign + self._stall_s] if self._stall_s is not None else []
        return min((max(at - now, _LOOK_AGAIN_S) for at in due if at is not None), default=float("inf"))

    def _append(self, content: bytes, now: float) -> None:
        try:
            self.log.write(content)
        except OSError as error:
            reason = explain_os_error("the log could not be written", error)
            self.end(names.FAILED, reason, now=now)
            self.verdict = self.verdict or Outcome(names.FAILED, None, None, reason)

    def _find_last_sign(self, now: float) -> float:
        epoch = self._read_epoch()
        if epoch != self._last_epoch:
            self._last_epoch, self._last_sign = epoch, now
        return self._last_sign

    def _read_epoch(self) -> tuple[int, int] | None:
        """Return what changes with each epoch; one look a turn, so that none counts later than it came."""
        try:
            status = os.stat(f"{self.folder}/{names.HISTORY}")
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def _ask_to_end(self, members: set[int], now: float, grace_s: float) -> None:
        processes.send_signal(members, signal.SIGTERM)
        self._kill_at = now + grace_s

    def _kill_when_due(self, now: float) -> None:
        if self._kill_at is not None and now >= self._kill_at:
            processes.send_signal(
                processes.find_members(leaders=[self.pid], marker=self._marker), signal.SIGKILL
            )
            self._kill_at = now + _LOOK_AGAIN_S

    def _group_exists(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except OSError:
            return False
        return True


def cannot_start(error: Exception, program: str) -> Outcome:
    """Return the outcome of a run whose process never began."""
    if isinstance(error, FileNotFoundError) and error.filename == program:
        return Outcome(names.FAILED, _NO_PROGRAM, None, f"there is no program {program!r}")
    if isinstance(error, OSError):  # also a file of the snapshot that is gone
        return Outcome(names.FAILED, None, None, explain_os_error("it could not be started", error))
    return Outcome(names.FAILED, None, None, f"it could not be started: {error}")


def _decode(status: int) -> tuple[int | None, int | None]:
    code = os.waitstatus_to_exitcode(status)
    return (code, None) if code >= 0 else (None, -code)


def _explain(code: int | None, number: int | None) -> str:
    if number is not None:
        return f"killed by {_explain_signal(number)}"
    told = (code or 0) - TOLD_BY_SHELL
    by_shell = f", by which a shell tells {_explain_signal(told)}" if told in _FATAL else ""
    return f"exit code {code}{by_shell}"


def _explain_signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
    return f"{name} (often: out of memory)" if number == signal.SIGKILL else name
