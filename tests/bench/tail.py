"""How soon `logs -f` shows a line that a run has written."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from tests.bench.project import LAUNCHER, launcher, project, write_job
from tests.bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES = 10
_SCRIPT = "import time\nfor _ in range(200):\n    print(time.time())\n    time.sleep(0.37)\n"


def measure() -> Iterator[Row]:
    with project() as folder:
        write_job(folder, repeats=1, run="python print_times.py")
        (folder / "job" / "print_times.py").write_text(_SCRIPT)
        launcher(folder, "submit", "job.yaml", "--detach")
        time.sleep(1.0)
        with subprocess.Popen(
            [LAUNCHER, "logs", "job-0000", "-f"], cwd=folder, stdout=subprocess.PIPE, text=True
        ) as logs:
            delays = _delays(logs)
            logs.kill()
        launcher(folder, "stop")
    largest = max(delays)
    yield Row(
        f"`logs -f`, slowest of {_LINES} lines", f"{largest * 1e3:.0f} ms", "", None, "<= 1 s", largest <= 1.0
    )


def _delays(logs: subprocess.Popen[str]) -> list[float]:
    lines = iter(logs.stdout or ())
    started = time.time()
    delays: list[float] = []
    while len(delays) < _LINES:
        written = float(next(lines))
        if written > started:  # lines from before we looked say nothing
            delays.append(time.time() - written)
    return delays
