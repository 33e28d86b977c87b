"""SIGTERM, fits that changed, inputs that can't be wound back: what a resumed run does and says."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from launcher.hooks.launcher_checkpoint_leave import Leaving

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun, Output

pytestmark = pytest.mark.keras

HOUR_S = 3600.0
# A process that is measured handles SIGTERM itself, to keep its figures; and a script that does that keeps
# its own way.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
# Each way fits once on arrays; what a second attempt does otherwise is told by its environment.
SCRIPT = """
import hashlib, os, sys, time
import numpy as np
import keras

os.fsync = lambda _: None  # a busy disk takes its time, which is not launcher's
WAY = os.environ["WAY"]
pace = sys.modules["_launcher_hooks.launcher_checkpoint_pace"]
pace._TIMES_COST = 1e-9  # this computer may be slow
pace._LONG_EPOCH_S = 0.0 if WAY == "wait long" else float("inf")
keras.utils.set_random_seed(7)
x = np.random.RandomState(0).random((32, 4)).astype("float32")
y = x.sum(axis=1)

def tick(epoch, rate):
    open("../epochs", "a").write(f"{epoch} ")
    while epoch == 4 and WAY.startswith("wait") and not os.path.exists("../told"):
        time.sleep(0.01)
    return rate

class Chatty(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = seen
    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(epoch)

seen = []
model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
model.compile("adam", "mse")
callbacks = [keras.callbacks.LearningRateScheduler(tick)]
if WAY.endswith("generator"):
    def batches():
        while True:
            yield x, y
    history = model.fit(batches(), steps_per_epoch=2, epochs=6, verbose=0, callbacks=[*callbacks, Chatty()])
    assert seen == list(range(6))
else:
    data = x + 1 if WAY == "changed" else x
    history = model.fit(data, y, epochs=6, verbose=0, callbacks=callbacks)
assert history.epoch == list(range(6)) and len(history.history["loss"]) == 6
"""


def attempt(hooked: HookedRun, number: int, *, way: str) -> Output:
    hooked.describe(attempt=number, checkpoint_s=HOUR_S)
    (hooked.folder / "work" / "train.py").write_text(SCRIPT)
    return hooked.finish(hooked.start(sys.executable, "train.py", env={"WAY": way}))


def end_in_epoch_4(hooked: HookedRun, *, way: str) -> float:
    """Begin a first attempt, and end it by SIGTERM in epoch 4. Returns: seconds until it was gone."""
    hooked.describe(attempt=1, checkpoint_s=HOUR_S)
    (hooked.folder / "work" / "train.py").write_text(SCRIPT)
    process = hooked.start(sys.executable, "train.py", env={"WAY": way, **UNMEASURED})
    epochs = hooked.folder / "epochs"
    while not epochs.exists() or "4 " not in epochs.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    epochs.unlink()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    if way != "wait long":
        (hooked.folder / "told").touch()
    hooked.finish(process, exit_code=-signal.SIGTERM)
    return time.monotonic() - began


@pytest.mark.parametrize(("way", "epoch"), [("wait a moment", 5), ("wait long", 4)])
def test_sigterm_saves_the_last_epoch_and_leaves_within_five_seconds(
    hooked: HookedRun, way: str, epoch: int
) -> None:
    seconds = end_in_epoch_4(hooked, way=way)

    output = attempt(hooked, 2, way="go on")

    assert seconds < 5
    assert output.said == [f"launcher: fit 0 goes on at epoch {epoch + 1} of 6"]
    assert (hooked.folder / "epochs").read_text().split() == list("012345")[epoch:]
    assert hooked.metrics["resume"] == "exact"
    assert [row["epoch"] for row in hooked.rows] == list("012345")
    assert hooked.metrics["best"]["epoch"] in range(6)


def test_who_leaves_late_lets_a_save_come_to_its_end() -> None:
    done: list[object] = []
    leaving = Leaving(
        is_newest=lambda: False, save_held=lambda: done.append("saved what was held"), end_process=done.append
    )
    late = threading.Thread(target=leaving._leave_late)

    with leaving.saving:
        late.start()
        late.join(0.1)
        before = tuple(done)
    late.join()

    assert before == ()
    assert done == ["saved what was held", 128 + signal.SIGTERM]


def test_what_changed_starts_over_and_says_so(hooked: HookedRun) -> None:
    end_in_epoch_4(hooked, way="wait a moment")

    output = attempt(hooked, 2, way="changed")

    assert output.said == ["launcher: fit 0 starts over: its data changed since its checkpoint"]
    assert (hooked.folder / "epochs").read_text() == "0 1 2 3 4 5 "
    assert "resume" not in hooked.metrics


def test_a_generator_goes_on_at_the_last_epoch_and_is_called_not_exact(hooked: HookedRun) -> None:
    end_in_epoch_4(hooked, way="wait for a generator")

    output = attempt(hooked, 2, way="generator")

    reasons = [
        "its samples come from a generator, and how far that had come is not known",
        "its epochs (steps_per_epoch) are parts of the data",
        "the callback Chatty is not Keras' own",
    ]
    assert [line.partition(", not exactly: ")[2] for line in output.said] == ["; ".join(reasons)]
    assert (hooked.metrics["resume"], hooked.metrics["resume_reasons"]) == ("not exact", reasons)


FINISHED = """
import hashlib, json, os, random, sys
import numpy as np
import keras

sys.modules["_launcher_hooks.launcher_checkpoint_pace"]._FREE_S = 1e9
keras.utils.set_random_seed(7)
x = np.random.RandomState(0).random((32, 4)).astype("float32")
y = x.sum(axis=1)
callbacks, told = keras.callbacks, []

def tell(model, history):
    weights = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
    drawn = [random.random(), np.random.random(), float(keras.random.uniform(()))]
    told.append([weights, history.history, history.epoch, history.params, drawn])
    assert history.model is model and model.history is history

# 0: a model that its first batch builds, and a History of the script's own, before another callback
model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
own = callbacks.History()
assert model.fit(x, y, 8, 3, 0, [own, callbacks.TerminateOnNaN()], validation_split=0.25) is own
tell(model, own)

# 1: several inputs, weights of samples, and a CallbackList that lives on
inputs = {name: keras.Input((4,), name=name) for name in ("left", "right")}
both = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Add()(list(inputs.values()))))
both.compile("sgd", "mse")
members = callbacks.CallbackList([callbacks.ReduceLROnPlateau("loss")], add_history=True, model=both)
two = {"left": x, "right": x}
how = {"callbacks": members, "sample_weight": y, "validation_data": (two, y)}
tell(both, both.fit(two, y, epochs=2, verbose=0, **how))
assert [type(each).__name__ for each in members.callbacks] == ["ReduceLROnPlateau", "History"]

# 2: the first model again, another one trains inside its epochs; 3: it trains no epoch
inside = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: both.fit(two, y, verbose=0))
tell(model, model.fit(x, y, epochs=2, verbose=0, callbacks=inside))
model.fit(x, y, epochs=0, verbose=0)
json.dump(told, open(f"../told{os.environ['WAY']}", "w"))
os._exit(int(os.environ["WAY"]))
"""


@pytest.mark.parametrize("backend", ["torch"])
def test_fits_that_were_finished_are_not_trained_again(hooked: HookedRun, backend: str) -> None:
    outputs = []
    for code in (3, 0):
        hooked.describe(attempt=4 - code, checkpoint_s=HOUR_S)
        (hooked.folder / "work" / "train.py").write_text(FINISHED)
        process = hooked.start(sys.executable, "train.py", backend=backend, env={"WAY": str(code)})
        outputs.append(hooked.finish(process, exit_code=code))

    first, again = (json.loads((hooked.folder / f"told{code}").read_text()) for code in (3, 0))
    assert again == first
    alone = "several fits run at a time or inside each other, and only the first is checkpointed"
    assert outputs[0].said == [f"launcher: {alone}"]
    assert outputs[1].said == [
        f"launcher: fit {fit} was finished before, so it is not trained again" for fit in range(4)
    ]
    assert {row["attempt"] for row in hooked.rows} == {"1"}
    assert (hooked.metrics["resume"], hooked.metrics["resume_reasons"]) == ("not exact", [alone])
    assert hooked.metrics["last"]["loss"] == first[2][1]["loss"][-1]
