"""What a new runner does about its predecessor: end what it left, and take back what it had begun."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from launcher.runner import names, processes
from launcher.runner.batch import Outcome
from launcher.runner.disk import read_json, unlink
from launcher.runner.environment import marker_of
from launcher.runner.folders import remove_tree
from launcher.runner.trial import clear_trials
from launcher.runner.workspace import drop_checkpoint

if TYPE_CHECKING:
    from launcher.runner.batch import Batch
    from launcher.runner.states import States


def take_over(batch: Batch, states: States) -> None:
    """End the processes of runs that were running, and queue these runs again.

    No process of a run may live when the run is started anew, so this comes before anything is started.
    """
    states.remember_failures(_count_failures(batch))
    clear_trials(batch)
    left = states.runs_in(names.RUNNING)
    if left:
        same_boot = _is_same_boot(batch)
        reason = "the runner died" if same_boot else "the computer was started anew"
        leaders = _leaders(batch) if same_boot else {}
        for run in left:
            _end_processes(batch, run, leaders)
            remove_tree(batch.run_path(run, names.WORK))
            unlink(batch.run_path(run, names.LOG + ".new"))
            states.finish(run, Outcome(names.INTERRUPTED, None, None, reason))
    for run in states.runs_in(names.SUCCEEDED):  # killed between a success and this
        drop_checkpoint(batch, run)
    for run in states.runs_in(names.INTERRUPTED):
        states.requeue(run)


def _count_failures(batch: Batch) -> Counter[str]:
    """Return how often each run failed since somebody asked for it; interruptions do not count."""
    failures = Counter[str]()
    interrupted: set[str] = set()
    for event in batch.read_journal():
        run = event["run"]
        if event["event"] == "ended":
            failures[run] += event["state"] in names.RETRIED
            if event["state"] == names.INTERRUPTED:
                interrupted.add(run)
        elif event["event"] == "requeued" and not event["is_retry"]:
            failures[run] *= run in interrupted
            interrupted.discard(run)
    return failures


def _is_same_boot(batch: Batch) -> bool:
    before = read_json(batch.path(names.RUNNER))
    return isinstance(before, dict) and before.get("boot_id") == processes.boot_id()


def _leaders(batch: Batch) -> dict[str, int]:
    """Return the main process of each run, where it still is the one that the predecessor started."""
    leaders: dict[str, int] = {}
    for event in batch.read_journal():
        if event["event"] == "started":
            process = processes.find_process(event["pid"])
            is_it = process is not None and process.started == event.get("pid_started")
            leaders[event["run"]] = event["pid"] if is_it else 0
    return leaders


def _end_processes(batch: Batch, run: int, leaders: dict[str, int]) -> None:
    leader = leaders.get(batch.runs[run]["id"])
    processes.end_at_once(leaders=[leader] if leader else (), marker=marker_of(batch.run_path(run)))
