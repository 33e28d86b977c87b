"""What a run costs beside itself: 200 runs of `true`, against task-spooler with one slot."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

from tests.bench.project import project, run_whole, seconds_between, write_job
from tests.bench.row import Row, in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RUNS = 200
_ROUNDS = 5


def measure() -> Iterator[Row]:
    """task-spooler keeps nothing durable, so the time of our fsyncs stands in a row of its own."""
    with project() as folder:
        write_job(folder, repeats=_RUNS)
        fsyncs: list[float] = []
        ours, peer, bare = in_turn(
            _ROUNDS,
            lambda: _launcher_ms(folder, fsyncs),
            lambda: _spooler_ms(folder),
            _bare_ms,
        )
    durable = sorted(fsyncs)[len(fsyncs) // 2]
    yield Row(
        f"{_RUNS} runs of `true`, ms a run without fsync, v task-spooler",
        f"{ours:.2f} ms",
        f"{peer:.2f} ms",
        ours / peer,
        "<= 1",
        ours <= peer,
    )
    yield Row("the same, time in fsync", f"{durable:.2f} ms", "none")
    yield Row("the same, bare fork and exec", "", f"{bare:.2f} ms")


def _launcher_ms(folder: Path, fsyncs: list[float]) -> float:
    batch = run_whole(folder)
    events = [json.loads(line) for line in (batch / "events.jsonl").read_text().splitlines()]
    fsync_s: float = events[-1]["fsync_s"]
    fsyncs.append(fsync_s / _RUNS * 1e3)
    return (seconds_between(events[0], events[-1]) - fsync_s) / _RUNS * 1e3


def _spooler_ms(folder: Path) -> float:
    environment = {**os.environ, "TS_SOCKET": str(folder / "tsp.socket"), "TMPDIR": str(folder)}
    # The shell's own loop, the quickest way that its users have.
    loop = f"for i in $(seq {_RUNS}); do tsp true; done; tsp -w"
    begin = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", loop], env=environment, check=True, stdout=subprocess.DEVNULL)
    elapsed = time.perf_counter() - begin
    subprocess.run(["tsp", "-K"], env=environment, check=True)
    return elapsed / _RUNS * 1e3


def _bare_ms() -> float:
    loop = f"for i in $(seq {_RUNS}); do /bin/true; done"
    begin = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", loop], check=True)
    return (time.perf_counter() - begin) / _RUNS * 1e3
