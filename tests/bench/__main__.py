"""Measure what launcher promises, against its peers in the same run, and print one table.

python -m tests.bench [NAME...]
    runner start scale sync tail night fast experiment resume warm threads gpu experiment-whole
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import experiment, fast, gpu, night, resume, runner, scale, start, sync, tail, threads, warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.bench.row import Row

BENCHES: dict[str, Callable[[], Iterator[Row]]] = {
    "runner": runner.measure,
    "start": start.measure,
    "scale": scale.measure,
    "sync": sync.measure,
    "tail": tail.measure,
    "night": night.measure,
    "experiment": experiment.measure,
    "resume": resume.measure,
    "fast": fast.measure,
    "warm": warm.measure,
    "threads": threads.measure,
    "gpu": gpu.measure,
}
LONG = {"experiment-whole": experiment.measure_whole}  # only when asked for by name


def main(wanted: Sequence[str]) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {_processor()},")
    print(f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}\n")
    print("| what | launcher | peer | ratio | target |\n|---|---|---|---|---|")
    for name in wanted or BENCHES:
        for row in (BENCHES | LONG)[name]():
            print(row.text(), flush=True)


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as file:
        names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
        return next(names, platform.machine())


if __name__ == "__main__":
    main(sys.argv[1:])
