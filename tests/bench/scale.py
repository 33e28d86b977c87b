"""Large batches: seconds and memory for 10,000 runs, and whether costs grow no faster than runs."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil

from tests.bench.project import batch_of, launcher, project, write_job
from tests.bench.row import Row, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MANY = 10_000
_SIZES = (1_000, 10_000, 100_000)
_WATCHED_S = 3.0


def measure() -> Iterator[Row]:
    yield from _measure_many()
    yield from _measure_growth()


def _measure_many() -> Iterator[Row]:
    with project() as folder:
        write_job(folder, repeats=_MANY)
        planned = seconds(lambda: launcher(folder, "plan", "job.yaml"))
        begin = time.perf_counter()
        batch = batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach"))
        submitted = time.perf_counter() - begin
        memory_mb = _watch_memory_mb(batch)
        status = seconds(lambda: launcher(folder, "status"))
        _kill_runner(batch)
    both = planned + submitted
    yield Row(
        f"plan and submit {_MANY:,} runs", f"{planned:.2f} + {submitted:.2f} s", "", None, "<= 5 s", both <= 5
    )
    yield Row(
        f"runner of {_MANY:,} runs, resident", f"{memory_mb:.0f} MB", "", None, "<= 60 MB", memory_mb <= 60
    )
    yield Row(f"status of {_MANY:,} runs, some finished", f"{status:.2f} s", "", None, "<= 1 s", status <= 1)


def _watch_memory_mb(batch: Path) -> float:
    until, largest = time.monotonic() + _WATCHED_S, 0.0
    while time.monotonic() < until:
        pid = json.loads((batch / "runner.json").read_text())["pid"]
        largest = max(largest, psutil.Process(pid).memory_info().rss / 1e6)
        time.sleep(0.1)
    return largest


def _kill_runner(batch: Path) -> None:
    os.kill(json.loads((batch / "runner.json").read_text())["pid"], signal.SIGKILL)


def _measure_growth() -> Iterator[Row]:
    for runs in _SIZES:
        with project() as folder:
            write_job(folder, repeats=runs)
            planned = seconds(lambda: launcher(folder, "plan", "job.yaml"))
            batch = batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach"))
            _kill_runner(batch)
            _pretend_finished(batch)
            status = seconds(lambda: launcher(folder, "status"))
        each = status / runs * 1e6
        yield Row(
            f"{runs:,} runs: plan; status, all finished",
            f"{planned:.2f} s; {status:.2f} s ({each:.0f} us a run)",
        )


def _pretend_finished(batch: Path) -> None:
    """Give every run the state of one that ended well; executing 100,000 runs would tell nothing more."""
    state = {
        "state": "succeeded",
        "exit_code": 0,
        "signal": None,
        "attempt": 1,
        "started_at": "2026-01-01T00:00:00.000000+00:00",
        "ended_at": "2026-01-01T00:00:01.000000+00:00",
        "reason": None,
    }
    content = json.dumps(state)
    for run in json.loads((batch / "plan.json").read_text())["runs"]:
        folder = batch / "runs" / run["id"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.json").write_text(content)
