"""What a run has saved for itself outlives every attempt but the one that succeeds."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

from tests.runner.kit import Job

SAVE = 'mkdir -p ../checkpoint; echo x >> ../checkpoint/saved; test "$(wc -l < ../checkpoint/saved)" -ge 3'


def saved(batch: Frozen) -> Path:
    return batch.run_folder(0) / "checkpoint" / "saved"


def test_a_run_is_told_how_often_to_save(home: Home) -> None:
    batch = home.freeze(Job(checkpoint_s=300.0), Job(name="other"))

    batch.run()

    told = [json.loads((batch.run_folder(run) / "run.json").read_text())["checkpoint_s"] for run in (0, 1)]
    assert told == [300.0, None]


def test_attempts_find_what_the_ones_before_saved_and_a_success_clears_it_away(home: Home) -> None:
    batch = home.freeze(Job(SAVE, checkpoint_s=1.0, retries=2))

    batch.run()

    assert (batch.state()["state"], batch.state()["attempt"]) == ("succeeded", 3)
    assert not saved(batch).parent.exists()
    assert not [path for path in batch.manifest() if "checkpoint" in path]


def test_a_failure_keeps_what_it_saved(home: Home) -> None:
    batch = home.freeze(Job(SAVE, checkpoint_s=1.0))

    batch.run()

    assert batch.states() == ["failed"]
    assert saved(batch).read_text() == "x\n"


def test_a_success_that_a_killed_runner_did_not_clear_up_after_is_cleared_up_after_later(home: Home) -> None:
    batch = home.freeze(Job("true", checkpoint_s=1.0), Job("false", name="other"))
    batch.run()
    saved(batch).parent.mkdir()
    saved(batch).write_text("left")

    batch.request("resume", "--failed")
    batch.run()

    assert not saved(batch).parent.exists()


KERAS = """
import hashlib, json, os, pathlib, sys
import numpy as np
import keras

sys.modules["_launcher_hooks.launcher_checkpoint_pace"]._TIMES_COST = 1e-9
keras.utils.set_random_seed(7)
x = np.random.RandomState(0).random((64, 4)).astype("float32")

def tick(epoch, rate):
    if epoch == 6 and not os.path.exists(os.environ["PLACE"]):
        open(os.environ["PLACE"], "w").close()
        import time
        time.sleep(600)
    return rate

model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x.sum(axis=1), epochs=9, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(tick)])
weights = b"".join(each.tobytes() for each in model.get_weights())
print("weights", hashlib.sha256(weights).hexdigest(), flush=True)
"""


@pytest.mark.keras
def test_a_run_whose_runner_was_killed_goes_on_with_the_same_bits(home: Home, tmp_path: Path) -> None:
    places = {"job": str(tmp_path / "killed"), "whole": str(tmp_path)}
    jobs = [
        Job(
            [sys.executable, "train.py"],
            name=name,
            code={"train.py": KERAS},
            env={"PLACE": place, "KERAS_BACKEND": "jax"},
            checkpoint_s=1e-9,  # after each epoch, however fast the computer is
        )
        for name, place in places.items()
    ]
    batch = home.freeze(*jobs)
    runner = batch.start()
    while not (tmp_path / "killed").exists():  # a busy computer takes its time to import Keras
        assert runner.poll() is None
        time.sleep(0.05)
    runner.send_signal(signal.SIGKILL)
    runner.wait()

    assert batch.start().wait(300) == 0

    assert batch.states() == ["succeeded", "succeeded"]
    assert batch.state()["attempt"] == 2
    killed, whole = ([line for line in batch.log(run).splitlines() if b"weights" in line] for run in (0, 1))
    assert killed == whole
    assert b"launcher: fit 0 goes on at epoch 7 of 9" in batch.log()
    rows = (batch.run_folder(0) / "history.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1:3] for row in rows] == [[str(epoch), "12"[epoch > 5]] for epoch in range(9)]
