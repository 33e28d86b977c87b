"""What only a GPU can show; `make gpu` where there is one. KERAS_BACKEND names the backend (tensorflow).

No test_ in its name: CI has no GPU, and there a skipped part is a failure.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from launcher.nodes.local import LocalNode
from launcher.targets.ready import check_gpus
from tests.bench.project import batch_of, events, launcher, wait_until_over
from tests.bench.resume import kill_in
from tests.bench.warm import write_training

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
SHARED = """
import json, os, subprocess, time
import keras, numpy as np
began = time.time()
x = np.random.random((4096, 64)).astype("float32")
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=30, verbose=0)
ask = ["nvidia-smi", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"]
used, total = map(int, subprocess.run(ask, capture_output=True, text=True).stdout.splitlines()[0].split(","))
print("SAW", json.dumps([os.environ["CUDA_VISIBLE_DEVICES"], used / total, began, time.time()]))
"""
LONG = """
import hashlib, os, pathlib
import keras, numpy as np
keras.utils.set_random_seed(int(os.environ["LAUNCHER_SEED"]))
if keras.backend.backend() == "tensorflow":
    import tensorflow
    tensorflow.config.experimental.enable_op_determinism()
x = np.random.random((32_000, 60)).astype("float32")
y = (x[:, :30].sum(axis=1) > x[:, 30:].sum(axis=1)).astype("float32")
layers = [keras.Input((60,)), keras.layers.Dense(60, activation="relu"), keras.layers.Dropout(0.2)]
model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=60, verbose=0)
weights = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in model.get_weights())).hexdigest()
pathlib.Path(os.environ["LAUNCHER_OUTPUT"], "weights").write_text(weights)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".launcher").mkdir()
    return tmp_path


def test_the_ready_check_sees_the_gpu() -> None:
    job = {"needs": {"gpus": 1}, "environment": None, "backend": BACKEND}

    check_gpus(LocalNode(Path.cwd()), {"cpu": False, "jobs": [job]})


def test_runs_are_warm_after_one_gave_the_same_both_ways(home: Path) -> None:
    write_training(home)

    batch = submit(home, "python train.py", repeats=6, seed=7)

    tried = [event["same"] for event in events(batch, "tried_warm")]
    assert tried == [True], events(batch, "no_worker")
    assert [bool(event.get("warm")) for event in events(batch, "started")] == [False, False] + [True] * 4
    weights = {path.read_text() for path in batch.glob("runs/*/outputs/weights.txt")}
    assert len(weights) == 1


def test_four_runs_share_a_gpu_and_its_memory_grows(home: Path) -> None:
    write(home, SHARED)

    batch = submit(home, "python train.py", repeats=4, needs={"gpus": 0.25})

    saw = list(shared(batch))
    assert len(saw) == 4
    assert {visible for visible, *_ in saw} == {"0"}
    assert max(used for _, used, *_ in saw) < 0.5, saw  # one alone would have taken three quarters
    assert max(began for *_, began, _ in saw) < min(ended for *_, ended in saw), "not at the same time"


def test_a_killed_run_goes_on_as_if_nothing_had_been(home: Path) -> None:
    write(home, LONG)
    how: dict[str, Any] = {"seed": 7, "checkpoint": "1s", "limits": {"retries": 5}}
    left_alone = submit(home, "python train.py", **how)

    killed = batch_of(home, submit_detached(home, "python train.py", **how))
    for attempt in (1, 2, 3):
        kill_in(killed, epoch=15 * attempt, attempt=attempt)
    wait_until_over(killed)

    assert len(events(killed, "started")) == 4
    (expected,), (found,) = (list(each.glob("runs/*/outputs/weights")) for each in (left_alone, killed))
    assert found.read_text() == expected.read_text()


def write(home: Path, script: str) -> None:
    (home / "job").mkdir()
    (home / "job" / "train.py").write_text(script)


def submit(home: Path, run: str, **fields: Any) -> Path:
    batch = batch_of(home, submit_detached(home, run, **fields))
    wait_until_over(batch)
    logs = [path.read_text()[-2000:] for path in batch.glob("runs/*/log.txt")]
    assert all(event["state"] == "succeeded" for event in events(batch, "ended")), logs
    return batch


def submit_detached(home: Path, run: str, **fields: Any) -> str:
    job = {"folder": "job", "run": run, "backend": BACKEND, **fields}
    (home / "job.yaml").write_text(json.dumps(job))
    return launcher(home, "submit", "job.yaml", "--detach")


def shared(batch: Path) -> Iterator[Any]:
    for path in batch.glob("runs/*/log.txt"):
        lines = path.read_text().splitlines()
        yield from (json.loads(line.removeprefix("SAW ")) for line in lines if line.startswith("SAW "))
