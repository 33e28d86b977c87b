"""A run that was cut off goes on as if nothing had happened: bits, histories, files, later fits."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun, Output

pytestmark = pytest.mark.keras

OFTEN_S = 1e-9  # after each epoch, however fast the computer is
# Everything that has a state: dropout, batch statistics, shuffling, all of Keras' own callbacks that keep
# something, several fits, of which one ends early, and draws from every generator between and behind them.
SCRIPT = """
import hashlib, json, os, random, signal, sys
import numpy as np
import keras

KILL = json.loads(os.environ["KILL"])
if pace := sys.modules.get("_launcher_hooks.launcher_checkpoint_pace"):
    pace._TIMES_COST = 1e-9  # a checkpoint an epoch, however slow this computer is at the moment
keras.utils.set_random_seed(7)
if keras.backend.backend() == "tensorflow":
    import tensorflow
    tensorflow.config.experimental.enable_op_determinism()

rows = np.random.RandomState(0)
x = rows.random((90, 6)).astype("float32")
y = (x.sum(axis=1) + rows.normal(0, 0.3, 90) > 3).astype("float32")

def digest(arrays):
    return hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in arrays)).hexdigest()

def make_model():
    model = keras.Sequential([
        *([keras.Input((6,))] if FIT % 2 == 0 else []),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    return model

def tick(epoch, rate):
    if [FIT, epoch] == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    return rate

told = {}
for FIT in range(2):
    model = make_model()
    callbacks = [
        keras.callbacks.LearningRateScheduler(tick),
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05, cooldown=1),
        keras.callbacks.EarlyStopping("loss", patience=4, min_delta=0.05, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(
            f"best{FIT}.weights.h5", "accuracy", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.CSVLogger(f"log{FIT}.csv"),
    ]
    history = model.fit(x, y, 16, epochs=12, verbose=0, callbacks=callbacks)
    assert history is model.history and history.model is model
    optimizer = [keras.ops.convert_to_numpy(each) for each in model.optimizer.variables]
    told[FIT] = {
        "weights": digest(model.get_weights()),
        "optimizer": digest(optimizer),
        "seeds": digest(keras.ops.convert_to_numpy(each) for each in model.non_trainable_variables),
        "history": history.history,
        "epochs": history.epoch,
        "log": open(f"log{FIT}.csv").read(),
        "callbacks": [callbacks[1].best, callbacks[2].stopped_epoch, callbacks[2].best, callbacks[3].best],
        "draws": [random.random(), np.random.random(), float(keras.random.uniform(()))],
    }
    model.load_weights(f"best{FIT}.weights.h5")
    told[FIT]["best"] = digest(model.get_weights())
json.dump(told, open("told.json", "w"), indent=1)
"""


def attempt(
    hooked: HookedRun, number: int, *, kill: tuple[int, int] | None = None, fast: bool = False, **how: Any
) -> Output:
    """Make one attempt as the runner does: in a fresh work folder, killed at some fit and epoch."""
    hooked.describe(attempt=number, checkpoint_s=OFTEN_S, fast=fast)
    shutil.rmtree(hooked.folder / "work")
    (hooked.folder / "work").mkdir()
    (hooked.folder / "work" / "train.py").write_text(SCRIPT)
    process = hooked.start(sys.executable, "train.py", env={"KILL": json.dumps(kill)}, **how)
    return hooked.finish(process, exit_code=-signal.SIGKILL if kill else 0)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_is_the_same_to_the_bit_after_several_kills(hooked: HookedRun, backend: str) -> None:
    attempt(hooked, 1, hooks=None, backend=backend)
    plain = hooked.read("told.json")

    attempt(hooked, 1, kill=(0, 2), backend=backend)
    attempt(hooked, 2, kill=(0, 7), backend=backend)
    attempt(hooked, 3, kill=(1, 0), backend=backend)
    attempt(hooked, 4, kill=(1, 4), backend=backend)
    output = attempt(hooked, 5, backend=backend)

    assert hooked.read("told.json") == plain
    assert output.said == [
        "launcher: fit 0 was finished before, so it is not trained again",
        "launcher: fit 1 goes on at epoch 5 of 12",
    ]
    assert hooked.metrics["resume"] == "exact"
    epochs = [len(plain[fit]["epochs"]) for fit in "01"]
    assert [(row["fit"], row["epoch"]) for row in hooked.rows] == [
        (str(fit), str(epoch)) for fit in range(2) for epoch in range(epochs[fit])
    ]
    assert [row["attempt"] for row in hooked.rows if row["fit"] == "1"][3:5] == ["4", "5"]


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_checkpoints_change_no_bit_of_a_run_that_nobody_ends(hooked: HookedRun, backend: str) -> None:
    attempt(hooked, 1, hooks=None, backend=backend)
    plain = hooked.read("told.json")

    output = attempt(hooked, 1, backend=backend)

    assert hooked.read("told.json") == plain
    assert output.said == []
    assert "resume" not in hooked.metrics
    assert sorted(path.name for path in (hooked.folder / "checkpoint").glob("*.*")) == [
        "0000.end",
        "0001.end",
    ]


def test_the_fast_way_goes_on_to_the_bit_as_well(hooked: HookedRun) -> None:
    attempt(hooked, 1, backend="tensorflow", fast=True)
    whole = hooked.read("told.json")
    shutil.rmtree(hooked.folder / "checkpoint")

    attempt(hooked, 1, kill=(0, 5), backend="tensorflow", fast=True)
    attempt(hooked, 2, kill=(1, 3), backend="tensorflow", fast=True)
    output = attempt(hooked, 3, backend="tensorflow", fast=True)

    assert hooked.read("told.json") == whole
    assert output.said[-1] == "launcher: fit 1 goes on at epoch 4 of 12"
    assert hooked.metrics["fast"] == {"fits": 1, "plain": {}}
