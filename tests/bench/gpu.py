"""Small trainings that share a GPU: 1, 2, 4 and 8 at a time."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.bench.project import batch_of, launcher, project, wait_until_over
from tests.bench.row import Row, seconds
from tests.bench.warm import write_training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PACKED = (1, 2, 4, 8)
_RUNS = 16


def measure() -> Iterator[Row]:
    what = f"{_RUNS} runs of Sonar, 5 epochs, on one GPU: runs a minute, "
    if shutil.which("nvidia-smi") is None:
        yield Row(what + "1, 2, 4 and 8 at a time", "not measured: no GPU here")
        return
    with project() as folder:
        write_training(folder)
        for at_a_time in _PACKED:
            took_s = _take_s(folder, at_a_time)
            yield Row(f"{what}{at_a_time} at a time", f"{_RUNS / took_s * 60:.0f}")


def _take_s(folder: Path, at_a_time: int) -> float:
    job = {"folder": "job", "run": "python train.py", "repeats": _RUNS, "seed": 7}
    (folder / "job.yaml").write_text(json.dumps({**job, "needs": {"gpus": 1 / at_a_time}}))
    (folder / ".launcher").mkdir(exist_ok=True)
    return seconds(
        lambda: wait_until_over(batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach")))
    )
