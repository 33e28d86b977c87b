"""What a warm run of Keras computes: the same bits as a fresh one."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from tests.runner.kit import Job
from tests.runner.test_slots import with_gpus
from tests.runner.test_warm import were_warm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

pytestmark = pytest.mark.keras

SCRIPT = """
import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
import h5py, hashlib, os, random, sys

x = StandardScaler().fit_transform(np.random.random((48, 6))).astype("float32")
y = (x.sum(axis=1) > 0).astype("float32")
noise = [keras.layers.Dropout(0.3), keras.layers.GaussianNoise(0.1)]
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), *noise, keras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
fitting = []

class Look(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        fitting.append(os.path.exists("../fitting"))

step = None
for _ in range(2):
    model.fit(x, y, epochs=2, batch_size=10, validation_split=0.2, verbose=0, callbacks=[Look()])
    step = step or model.train_function
print(hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest())
print(random.random(), np.random.random(), keras.backend.backend(), set("abcdef"))
left_open = h5py.File("weights.h5", "w")  # nobody closes it
left_open["weights"] = model.get_weights()[0]
is_warm = "-c" in open("/proc/self/cmdline").read().split(chr(0))
assert fitting == ([True, False, False, False] if is_warm else [False] * 4), fitting
assert step is model.train_function and step.__name__ != "first_step"
"""
IMPORTS = [["keras", []], ["numpy", []], ["sklearn.preprocessing", ["StandardScaler"]]]
WARM = {"imports": IMPORTS, "variables": [], "own": []}


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_warm_run_gives_the_bits_of_a_fresh_one(home: Home, backend: str) -> None:
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
    common: dict[str, Any] = {"run": "python train.py", "code": {"train.py": SCRIPT}, "env": env}
    batch = home.freeze(
        Job(name="warm", runs=2, warm=WARM, **common),
        Job(name="other", runs=1, seed=8, warm=WARM, **common),
        Job(name="fresh", **common),
        slots=2,
    )

    runner = batch.start()

    assert runner.wait(400) == 0, batch.complaints()
    assert batch.states() == ["succeeded"] * 4, [batch.log(run) for run in range(4)]
    assert {event["run"] for event in batch.events("started") if event.get("warm")} == set(batch.ids[:3])
    first, second, other, fresh = ((said_by(batch, run), history_of(batch, run)) for run in range(4))
    assert first == second == fresh != other
    assert batch.outputs(0) == batch.outputs(1) == batch.outputs(3) != batch.outputs(2)
    assert len(batch.outputs(0)["weights.h5"]) > 6 * 8 * 4
    assert len(fresh[1]) == 4


def said_by(batch: Frozen, run: int) -> list[bytes]:
    return batch.log(run).splitlines()[-2:]  # behind what TensorFlow says while it is imported


def history_of(batch: Frozen, run: int) -> list[dict[str, str]]:
    with (batch.run_folder(run) / "history.csv").open(newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def test_on_a_gpu_keras_runs_are_warm_after_one_gave_the_same_both_ways(home: Home, tmp_path: Path) -> None:
    """The GPU is one that only `nvidia-smi` shows; TensorFlow trains on the CPU, both times."""
    code = {"train.py": SCRIPT}
    env = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    job = Job(name="job", run="python train.py", code=code, env=env, warm=WARM, needs=1, runs=6)
    batch = home.freeze(job, slots=None)

    batch.start(env={"PATH": with_gpus(tmp_path, 0)}).wait(400)

    assert batch.states() == ["succeeded"] * 6, [batch.log(run) for run in range(6)]
    assert [event["same"] for event in batch.events("tried_warm")] == [True], batch.events("no_worker")
    assert were_warm(batch) == [False, False, True, True, True, True]
    assert {str((said_by(batch, run), history_of(batch, run))) for run in range(6)} == {
        str((said_by(batch, 0), history_of(batch, 0)))
    }
