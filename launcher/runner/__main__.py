"""The runner: execute a batch, or leave a request for the one that does.

    python -I -S runner.pyz run BATCH [--only-requests] [--python PATH] [--grace SECONDS] [--hang SECONDS]
    python -I -S runner.pyz cancel BATCH [RUN...]
    python -I -S runner.pyz resume BATCH [RUN...] [--failed]
    python -I -S runner.pyz look BATCH
    python -I -S runner.pyz install HOME SHA256 REQUIREMENTS [--python PATH]

Exit codes: 0 done, or another runner is at work; 2 the batch can't be executed; 1 a bug.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from launcher.runner import names, processes
from launcher.runner.batch import Batch, BatchError, utc_now
from launcher.runner.deadline import Deadline
from launcher.runner.disk import Disk, Journal, to_json
from launcher.runner.install import install
from launcher.runner.lock import Lock
from launcher.runner.look import look
from launcher.runner.loop import Loop, write_heartbeat
from launcher.runner.manifest import write_manifest
from launcher.runner.recovery import take_over
from launcher.runner.requests import pending_requests, write_request
from launcher.runner.slots import Slots, find_gpus
from launcher.runner.starter import Starter
from launcher.runner.states import States
from launcher.runner.trial import Trials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GRACE_S = 10.0
_HANG_S = 30.0


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line. Returns: the exit code."""
    wanted = _parser().parse_args(arguments)
    if wanted.command == "install":
        install(wanted.home, sha256=wanted.sha256, requirements=wanted.requirements, python=wanted.python)
        return 0
    try:
        # The real path, so that every runner of the batch gives its runs the same variables.
        batch = Batch(os.path.realpath(wanted.batch))
    except BatchError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if wanted.command == "look":
        print(to_json(look(batch.folder)).decode())  # noqa: T201 - this is the answer
    elif wanted.command == "run":
        how = {"python": wanted.python, "grace_s": wanted.grace, "hang_s": wanted.hang}
        execute(batch, only_requests=wanted.only_requests, **how)
    else:
        failed = getattr(wanted, "failed", False)
        write_request(batch.folder, wanted.command, runs=wanted.runs, failed=failed)
    return 0


def execute(batch: Batch, *, only_requests: bool = False, **how: Any) -> None:
    """Execute a batch, unless somebody else does so already.

    Args:
        only_requests: carry out what was asked for, and start nothing.
        how: what the command line tells the starter.
    """
    processes.become_subreaper()
    is_stopped = False
    # A request that comes while the last runner leaves would be nobody's: look once more after letting go.
    while not is_stopped:
        with Lock(batch.path(names.RUNNER_LOCK)) as lock:
            if not lock.try_to_take():
                return
            is_stopped = _work(batch, only_requests=only_requests, how=how)
        if not any(True for _ in pending_requests(batch.folder)):
            return


def _work(batch: Batch, *, only_requests: bool, how: Mapping[str, Any]) -> bool:
    disk = Disk(batch.path(names.BALLAST))
    disk.take_ballast()
    journal = Journal(batch.path(names.EVENTS))
    states = States(batch, disk=disk, journal=journal)
    os.makedirs(batch.path(names.RUNS), exist_ok=True)
    disk.sync(batch.folder)
    take_over(batch, states)
    write_heartbeat(batch)
    boot = {"pid": os.getpid(), "boot_id": processes.boot_id(), "version": names.VERSION}
    journal.append(at=utc_now(), event="batch_started", **boot)
    home = os.path.dirname(os.path.dirname(batch.folder))
    gpus = _find_gpus(batch)
    starter = Starter(batch, queue=states.queue, journal=journal, gpus=gpus, **how)
    with Lock(os.path.join(home, names.NODE_LOCK)) as node_lock:
        slots = Slots(gpus, limit=batch.plan["slots"])
        deadline = Deadline(batch, journal, clock=time.monotonic)
        trials = Trials(batch, queue=states.queue, workers=starter.workers, journal=journal)
        loop = Loop(
            batch, states, starter, trials=trials, node_lock=node_lock, slots=slots, deadline=deadline
        )
        loop.only_requests = only_requests
        loop.run()
    disk.drop_ballast()
    write_manifest(batch, states)
    journal.append(at=utc_now(), event="batch_ended", fsyncs=disk.fsyncs, fsync_s=disk.fsync_s)
    journal.close()
    return loop.is_stopping or loop.only_requests


def _find_gpus(batch: Batch) -> tuple[str, ...]:
    needs_gpu = any(job["needs"]["gpus"] for job in batch.jobs) and not batch.plan["cpu"]
    return find_gpus(os.environ) if needs_gpu else ()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runner.pyz")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("batch")
    run.add_argument("--only-requests", action="store_true")
    run.add_argument("--python", default=sys.executable)
    run.add_argument("--grace", type=float, default=_GRACE_S)
    run.add_argument("--hang", type=float, default=_HANG_S)
    commands.add_parser("look").add_argument("batch")
    environment = commands.add_parser("install")
    for name in ("home", "sha256", "requirements"):
        environment.add_argument(name)
    environment.add_argument("--python", default=sys.executable)
    for name in ("cancel", "resume"):
        command = commands.add_parser(name)
        command.add_argument("batch")
        command.add_argument("runs", nargs="*")
        if name == "resume":
            command.add_argument("--failed", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
