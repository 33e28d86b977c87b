"""The runner's loop: start what fits, watch what runs, write down what ended. One thread, no globals."""

from __future__ import annotations

import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

from launcher.runner import names, processes
from launcher.runner.attempt import TOLD_BY_SHELL, Attempt, cannot_start
from launcher.runner.batch import Batch, Outcome, explain_os_error, spoil, utc_now
from launcher.runner.disk import read_json, to_json, write_file
from launcher.runner.lock import Lock, is_held
from launcher.runner.orphans import Orphans
from launcher.runner.requests import pending_requests
from launcher.runner.workspace import drop_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from types import FrameType

    from launcher.runner.deadline import Deadline
    from launcher.runner.slots import Place, Slots
    from launcher.runner.starter import Starter
    from launcher.runner.states import States
    from launcher.runner.trial import Trials

_TICK_S = 0.25
_FULL_BYTES = 64 * 1024
_FULL_FILES = 8
_STOPPED = "the runner was told to stop"


class Loop:
    """Execute a batch until nothing is left to do, or until told to stop.

    Args:
        node_lock: held while runs run; one runner of a home at a time.
        slots: how many runs at a time, and where.
        deadline: when the batch ends, whatever is left.
        clock: seconds that never jump.
    """

    def __init__(
        self,
        batch: Batch,
        states: States,
        starter: Starter,
        *,
        trials: Trials,
        node_lock: Lock,
        slots: Slots,
        deadline: Deadline,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_stopping = False
        self.only_requests = False  # start nothing, unless somebody asks to go on
        self._batch, self._states, self._starter, self._trials = batch, states, starter, trials
        self._node_lock, self._has_node = node_lock, False
        self._slots, self._deadline, self._clock = slots, deadline, clock
        self._active: dict[int, Attempt] = {}
        self._ended: list[Attempt] = []
        self._orphans = Orphans()
        self._workers = starter.workers
        self._is_warming = False
        self._selector = selectors.DefaultSelector()
        self._workers.listen_with(self._selector)
        self._wake_read, self._wake_write = os.pipe()
        self._beat_at = self._tick_at = 0.0

    def run(self) -> None:
        """Run to the end."""
        self._listen_to_signals()
        self._carry_out_requests()  # a batch that is done has something to do by them only
        while not self._is_done():
            self._tick()
            self._start_ready()
            self._conclude_ended()
            self._prepare_next()
            self._wait()
            self._reap()
            self._look_at_active()
        self._starter.forget_all()
        self._states.save_again()

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End all runs with grace and leave; what ran is interrupted."""
        self.is_stopping = True

    # One turn of the loop, in order

    def _is_done(self) -> bool:
        nothing_left = self.is_stopping or self.only_requests or not self._states.queue.count(names.QUEUED)
        return not self._active and not self._ended and nothing_left

    def _tick(self) -> None:
        now = self._clock()
        if now < self._tick_at:
            return
        self._tick_at = now + _TICK_S
        self._carry_out_requests()
        self._keep_limits()
        self._states.save_again()
        if now >= self._beat_at:
            self._beat_at = now + names.HEARTBEAT_S
            write_heartbeat(self._batch)

    def _start_ready(self) -> None:
        if self.is_stopping or self.only_requests:
            return
        self._cancel_hopeless()
        if not self._may_run():
            return
        self._is_warming = False
        if not self._start_trial():
            return
        while (run := self._next_startable()) is not None:
            place = self._slots.take(self._needs(run))
            if place is None:
                return
            if not self._workers.is_settled(run, place):
                self._slots.give_back(place)
                self._is_warming = True
                return
            # However many can't be started, signals and requests are heard in between.
            if not self._start(run, place):
                return

    def _start_trial(self) -> bool:
        """Start the trial whose turn it is, before any run. Returns: whether runs may go on starting."""
        trial = self._trials.next()
        if trial is None:
            return True
        place = self._slots.take(self._needs(trial.run))
        if place is None:
            return False
        if not self._workers.is_settled(trial.run, place, is_trial=True):
            self._slots.give_back(place)
            self._is_warming = True
            return False
        self._find_orphans()  # the trial has left none of those
        attempt = self._starter.try_warm(self._trials.take(), place=place, now=self._clock())
        if attempt is None:
            self._slots.give_back(place)
        else:
            self._watch(attempt)
        return True

    def _conclude_ended(self) -> None:
        # Only now, so that the next run already computes while this one's results are made durable.
        for attempt in self._ended:
            self._finish(attempt)
        self._ended.clear()

    def _prepare_next(self) -> None:
        run = next(self._states.queue.ready(), None) if self._active else None
        if run is None:
            return
        try:
            self._starter.prepare(run, number=self._states.attempt(run) + 1)
        except OSError:
            return  # it is tried again, and explained, when the run's turn comes

    def _wait(self) -> None:
        now = self._clock()
        looks = [attempt.next_look(now) for attempt in self._active.values()]
        # Without a running run there is either something to start at once, or another batch to wait for.
        idle = 0.0 if self._has_node and not self._is_warming else _TICK_S
        for key, _ in self._selector.select(min(_TICK_S, *looks) if looks else idle):
            key.data()

    def _reap(self) -> None:
        ended = _reap_children()
        for pid in ended:
            self._workers.reaped(pid)
        ended |= self._workers.take_ended()
        for attempt in self._active.values():
            if attempt.pid in ended:
                attempt.exited(ended[attempt.pid])

    def _look_at_active(self) -> None:
        now = self._clock()
        orphans = self._find_orphans() if any(a.has_exited for a in self._active.values()) else set[int]()
        for attempt in tuple(self._active.values()):
            if self.is_stopping:
                attempt.end(names.INTERRUPTED, _STOPPED, now=now)
            if attempt.is_trial and not self._trials.helps(attempt):
                attempt.end(names.CANCELLED, "no run waits for it any more", now=now)
            attempt.check_limits(now)
            own = self._orphans.left_by(attempt.pid, mains=self._mains()) if attempt.has_exited else ()
            if attempt.is_over(now, orphans=orphans, own=own):
                self._release(attempt)

    def _find_orphans(self) -> AbstractSet[int]:
        return self._orphans.look(processes.find_children() - self._workers.pids, mains=self._mains())

    def _mains(self) -> set[int]:
        return {attempt.pid for attempt in self._active.values()}

    # The life of one run

    def _needs(self, run: int) -> float:
        needs: float = self._batch.job_of(run)["needs"]["gpus"]
        return needs

    def _may_run(self) -> bool:
        if not self._has_node and self._states.queue.count(names.QUEUED) and not self._is_behind_another():
            self._has_node = self._node_lock.try_to_take()
            if self._has_node:
                self._deadline.start()
                self._keep_limits()
        return self._has_node

    def _is_behind_another(self) -> bool:
        batches, own = os.path.split(self._batch.folder)
        earlier = (name for name in os.listdir(batches) if name < own)
        return any(is_held(os.path.join(batches, name, names.RUNNER_LOCK)) for name in earlier)

    def _next_startable(self) -> int | None:
        # Runs start in order: a large one is never starved by small ones behind it.
        for run in self._states.queue.ready():
            if self._slots.can_ever_take(self._needs(run)):
                return run
            reason = f"it needs {self._needs(run):g} GPUs, more than this node has"
            self._states.finish(run, Outcome(names.FAILED, None, None, reason))
        return None

    def _start(self, run: int, place: Place) -> bool:
        if self._active:
            self._find_orphans()  # this run has left none of those
        number = self._states.attempt(run) + 1
        try:
            self._starter.prepare(run, number=number)
            self._states.begin(run)
            attempt = self._starter.start(run, number=number, place=place, now=self._clock())
        except (OSError, ValueError) as error:
            if self._states.attempt(run) < number:
                self._states.count_attempt(run)  # it counts, although it came to nothing
            self._slots.give_back(place)
            self._starter.forget(run)
            self._conclude(run, cannot_start(error, self._batch.runs[run]["argv"][0]))
            return False
        self._workers.end_idle()
        self._watch(attempt)
        return True

    def _watch(self, attempt: Attempt) -> None:
        self._active[attempt.run] = attempt
        self._selector.register(attempt.pipe, selectors.EVENT_READ, lambda: self._take_log(attempt))

    def _take_log(self, attempt: Attempt) -> None:
        if not attempt.read_log(self._clock()):
            self._stop_reading(attempt)

    def _stop_reading(self, attempt: Attempt) -> None:
        if attempt.pipe in self._selector.get_map():
            self._selector.unregister(attempt.pipe)

    def _release(self, attempt: Attempt) -> None:
        del self._active[attempt.run]
        self._slots.give_back(attempt.place)
        self._stop_reading(attempt)
        if attempt.is_trial:  # the next run is to know what it came to
            attempt.close()
            self._trials.judge(attempt)
            return
        self._ended.append(attempt)
        if attempt.has_hung:
            self._workers.give_up(attempt.run, "a run that it forked hung")

    def _finish(self, attempt: Attempt) -> None:
        attempt.close()
        outcome = self._explain(attempt)
        try:
            self._starter.workspaces.take_back(attempt.run, since_ns=attempt.since_ns)
        except OSError as error:
            outcome = spoil(outcome, explain_os_error("its outputs could not be collected", error))
        self._conclude(attempt.run, outcome)
        if outcome.state == names.SUCCEEDED:
            self._trials.consider(attempt, took_s=attempt.seconds(self._clock()))
        if attempt.has_hung and not self.is_stopping:
            self._states.requeue(attempt.run)

    def _explain(self, attempt: Attempt) -> Outcome:
        """Add what only the run's folder or the disk can tell to a plain failure."""
        outcome = attempt.outcome()
        if attempt.verdict is not None:
            return outcome
        verdict = read_json(f"{attempt.folder}/{names.VERDICT}")
        if isinstance(verdict, dict):
            if (
                verdict.get("state") != names.SUCCEEDED
            ):  # also where the shell went on after it and ended well
                self._states.forbid_retry(attempt.run)  # a seed that diverged once diverges again
                return outcome._replace(state=names.FAILED, reason=str(verdict.get("reason")))
            if outcome.state == names.SUCCEEDED:
                return outcome._replace(reason=str(verdict.get("reason")))
        if self.is_stopping and _was_told_to_end(outcome):  # a shutdown tells us and our runs at once
            return outcome._replace(state=names.INTERRUPTED, reason=_STOPPED)
        if outcome.state == names.FAILED and _is_full(self._batch.folder):
            return outcome._replace(reason=f"the disk is full ({outcome.reason})")
        return outcome

    def _conclude(self, run: int, outcome: Outcome) -> None:
        self._states.finish(run, outcome, retries=self._batch.job_of(run)["limits"]["retries"])
        if self._states.queue.states[run] == names.SUCCEEDED:  # which is on disk by now
            drop_checkpoint(self._batch, run)

    # What others ask for

    def _carry_out_requests(self) -> None:
        for path, request in pending_requests(self._batch.folder):
            runs = self._batch.indexes_of(request.get("runs", []))
            match request.get("action"):
                case "cancel":
                    self._cancel(runs, "stopped by request")
                case "resume":
                    self._deadline.restart()
                    self._resume(runs, failed=bool(request.get("failed")))
            os.unlink(path)

    def _cancel(self, runs: list[int], reason: str) -> None:
        for run in runs:
            if self._states.queue.states[run] == names.RUNNING:
                self._states.forbid_retry(run)  # it may be ending for another reason
            if run in self._active:
                self._active[run].end(names.CANCELLED, reason, now=self._clock())
            elif self._states.queue.states[run] == names.QUEUED:
                self._cancel_queued(run, reason)

    def _keep_limits(self) -> None:
        reason = self._deadline.find_reason()
        if reason is not None:
            self._cancel(self._states.runs_in(names.QUEUED, names.RUNNING), reason)

    def _cancel_hopeless(self) -> None:
        for run, job in self._states.queue.hopeless():
            self._cancel_queued(run, f"{job}, which it comes after, did not wholly succeed")

    def _cancel_queued(self, run: int, reason: str) -> None:
        self._starter.forget(run)
        self._states.finish(run, Outcome(names.CANCELLED, None, None, reason))

    def _resume(self, runs: list[int], *, failed: bool) -> None:
        # Whoever asked has started a runner, too; it left at once, since this one is at work.
        self.only_requests = False
        wanted = names.RESUMABLE | ({names.FAILED} if failed else frozenset())
        for run in runs:
            if self._states.queue.states[run] in wanted:
                self._states.requeue(run)

    def _listen_to_signals(self) -> None:
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, lambda: os.read(self._wake_read, 4096))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def write_heartbeat(batch: Batch) -> None:
    """Say that this runner lives; on a full disk the lock alone says so."""
    beat = {
        "pid": os.getpid(),
        "boot_id": processes.boot_id(),
        "version": names.VERSION,
        "heartbeat_at": utc_now(),
    }
    new = batch.path(names.RUNNER + ".new")
    try:
        write_file(new, to_json(beat))
        os.replace(new, batch.path(names.RUNNER))
    except OSError:
        return


def _reap_children() -> dict[int, int]:
    """Return the statuses of our children that ended, by pid."""
    ended: dict[int, int] = {}
    try:
        while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            ended[found[0]] = found[1]
    except ChildProcessError:
        pass
    return ended


def _was_told_to_end(outcome: Outcome) -> bool:
    """Tell whether a run died of a signal, which a shell in between tells as 128 and its number."""
    number = outcome.signal or (outcome.exit_code or 0) - TOLD_BY_SHELL
    return number in (signal.SIGTERM, signal.SIGKILL)


def _is_full(folder: str) -> bool:
    status = os.statvfs(folder)
    has_no_inode = status.f_files > 0 and status.f_favail < _FULL_FILES
    return has_no_inode or status.f_bavail * status.f_frsize < _FULL_BYTES
