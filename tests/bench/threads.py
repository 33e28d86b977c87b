"""Runs that share a computer's cores: as many threads as TensorFlow takes by itself, against one a run.

What is looked for is a gain that would be worth other bits: a sum over several threads is rounded otherwise.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.bench.project import events, project, run_whole, seconds_between
from tests.bench.row import Row, in_turn
from tests.bench.warm import write_training

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RUNS = 8
_ROUNDS = 3
_ONE = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
_WIDE = """
import hashlib, os, pathlib
import keras, numpy as np

x = np.random.default_rng(1).random((10_000, 784), dtype="float32")
y = (x[:, 0] * 10).astype("int32")
layers = [keras.layers.Dense(512, "relu"), keras.layers.Dense(256, "relu"), keras.layers.Dense(10, "softmax")]
model = keras.Sequential([keras.Input((784,)), *layers])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=128, epochs=5, verbose=0)
weights = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
pathlib.Path(os.environ["LAUNCHER_OUTPUT"], "weights.txt").write_text(weights)
"""


def measure() -> Iterator[Row]:
    with project() as folder:
        write_training(folder)
        (folder / "wide").mkdir()
        (folder / "wide" / "train.py").write_text(_WIDE)
        for job, what in (("job", "Sonar, 5 epochs"), ("wide", "a network 512 wide")):
            yield _compare(folder, job, f"{_RUNS} runs of {what}, two at a time")


def _compare(folder: Path, job: str, what: str) -> Row:
    found: dict[bool, list[str]] = {}
    ours, one = in_turn(
        _ROUNDS,
        lambda: _take(folder, job, found, is_one=False),
        lambda: _take(folder, job, found, is_one=True),
    )
    bits = "equal" if found[False] == found[True] else "differ"
    shown = f"{what}: TensorFlow's own number of threads, v one thread a run; weights {bits}"
    return Row(shown, f"{ours:.1f} s", f"{one:.1f} s", ours / one)


def _take(folder: Path, job: str, found: dict[bool, list[str]], *, is_one: bool) -> float:
    """Return how long the runs took from the start of the first, in seconds; note the weights they found."""
    spec = {"folder": job, "run": "python train.py", "repeats": _RUNS, "seed": 7, "needs": {"gpus": 0}}
    (folder / "job.yaml").write_text(json.dumps({**spec, "env": _ONE if is_one else {}}))
    (folder / ".launcher").mkdir(exist_ok=True)
    batch = run_whole(folder, "--slots", "2")
    found[is_one] = [path.read_text() for path in sorted(batch.glob("runs/*/outputs/weights.txt"))]
    return seconds_between(events(batch, "started")[0], events(batch, "batch_ended")[0])
