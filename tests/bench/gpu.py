"""Small trainings that share a GPU: 1, 2, 4 and 8 at a time. KERAS_BACKEND names the backend (tensorflow)."""

from __future__ import annotations

import json
import os
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
_BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")


def measure() -> Iterator[Row]:
    what = f"{_RUNS} runs of Sonar, 5 epochs, on one GPU with {_BACKEND}"
    if shutil.which("nvidia-smi") is None:
        yield Row(f"{what}: 1, 2, 4 and 8 at a time", "not measured: no GPU here")
        return
    with project() as folder:
        write_training(folder)
        alone, weights = _take(folder, 1)
        for at_a_time in _PACKED:
            took_s, found = (alone, weights) if at_a_time == 1 else _take(folder, at_a_time)
            kinds, times = len(found | weights), alone / took_s
            bits = "equal" if kinds == 1 else f"of {kinds} kinds"
            shown = f"{what}: {at_a_time} at a time ({times:.1f} x the runs a minute), weights {bits}"
            yield Row(shown, _pace(took_s), _pace(alone), took_s / alone)


def _pace(seconds: float) -> str:
    return f"{_RUNS / seconds * 60:.0f} runs/min"


def _take(folder: Path, at_a_time: int) -> tuple[float, set[str]]:
    """Return how many seconds the runs took, and the weights that they found."""
    job = {"folder": "job", "run": "python train.py", "repeats": _RUNS, "seed": 7, "backend": _BACKEND}
    (folder / "job.yaml").write_text(json.dumps({**job, "needs": {"gpus": 1 / at_a_time}}))
    (folder / ".launcher").mkdir(exist_ok=True)
    batch = batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach"))
    took_s = seconds(lambda: wait_until_over(batch))
    return took_s, {path.read_text() for path in batch.glob("runs/*/outputs/weights.txt")}
