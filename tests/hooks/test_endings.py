"""stop_on_nan ends a run with its reason; a rehearsal is short, and nothing else."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from launcher.hooks.launcher_nan import find_lost
from launcher.hooks.launcher_rehearse import shorten_fit
from launcher.hooks.launcher_stop import Patience

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

NAN = float("nan")

DIVERGE = """
import keras
keras.utils.set_random_seed(1)
model = make_model(keras)
class Diverge(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([each * np.nan for each in self.model.get_weights()])
    def on_epoch_end(self, epoch, logs=None):
        logs["added"] = np.inf  # by a callback, so it ends nothing
def train(_=None):
    print("printed", end="")
    model.fit(x, y, epochs=9, verbose=0, callbacks=[Diverge()])
"""


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch", "fast"])
def test_ends_at_the_first_epoch_that_is_not_finite(hooked: HookedRun, backend: str) -> None:
    hooked.describe(stop_on_nan=True, fast=backend == "fast")
    backend = backend.replace("fast", "tensorflow")

    output = hooked.run(DIVERGE + "train()", backend=backend, exit_code=1, env={"PYTHONUNBUFFERED": ""})

    assert [row["loss"] == "nan" for row in hooked.rows] == [False, False, True]
    reason = "loss was nan at the end of epoch 2 of fit 0"
    assert json.loads((hooked.folder / "verdict.json").read_text()) == {"reason": reason}
    assert output.said == [f"launcher: stop_on_nan: {reason}"]
    assert output.stdout == "printed"
    assert (hooked.metrics["best"]["epoch"], hooked.metrics["last"]["loss"]) == (1, None)


@pytest.mark.keras
def test_goes_on_where_nobody_asked_to_stop(hooked: HookedRun) -> None:
    hooked.run(DIVERGE + "train()")

    assert len(hooked.rows) == 9
    assert not (hooked.folder / "verdict.json").exists()


@pytest.mark.keras
def test_ends_the_pool_that_would_wait_for_its_worker(hooked: HookedRun) -> None:
    hooked.describe(stop_on_nan=True)
    script = """
if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(train, [0])
"""

    hooked.run(DIVERGE + script, exit_code=-signal.SIGTERM)

    assert (hooked.folder / "verdict.json").exists()


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ({"loss": 1.0, "mae": 2.0, "added": NAN}, None),
        ({"loss": 1.0, "val_mae": NAN}, "val_mae"),
        ({"left_loss": -float("inf"), "mae": NAN}, "left_loss"),
        ({}, None),
    ],
)
def test_only_a_model_s_own_values_end_a_run(values: dict[str, float], lost: str | None) -> None:
    assert find_lost(values, metrics={"mae"}) == lost


REHEARSED = """
import keras
class Count(keras.callbacks.Callback):
    seen = {"train": 0, "test": 0}
    def on_train_batch_end(self, batch, logs=None):
        self.seen["train"] += 1
    def on_test_batch_end(self, batch, logs=None):
        self.seen["test"] += 1

def for_ever():
    while True:
        yield x[:8], y[:8]

model = make_model(keras)
counts = []
def count(call):
    Count.seen = {"train": 0, "test": 0}
    history = call()
    counts.append([Count.seen["train"], Count.seen["test"], getattr(history, "epoch", None)])

count(lambda: model.fit(x, y, 8, epochs=50, verbose=0, validation_split=0.5, callbacks=[Count()]))
count(lambda: model.fit(for_ever(), verbose=0, epochs=9, initial_epoch=5, validation_data=for_ever(),
    steps_per_epoch=100, validation_steps=100, callbacks=[Count()]))
count(lambda: model.fit(x, y, epochs=0, verbose=0, callbacks=[Count()]))
count(lambda: model.evaluate(for_ever(), steps=1000, verbose=0, callbacks=[Count()]))
count(lambda: model.evaluate(x, y, 8, verbose=0, callbacks=[Count()]))
assert model.predict(x, 8, verbose=0).shape == (24, 1)
json.dump(counts, open("counts.json", "w"))
"""


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_rehearsal_does_one_batch_of_everything(hooked: HookedRun, backend: str) -> None:
    hooked.describe(rehearse=True, fast=True)

    output = hooked.run(REHEARSED, backend=backend)

    assert output.said == []
    assert hooked.read("counts.json") == [[1, 1, [0]], [1, 1, [5]], [0, 0, []], [0, 1, None], [0, 1, None]]


def test_a_rehearsal_adds_no_validation() -> None:
    arguments = {"epochs": 3, "validation_data": None, "verbose": 2}

    shorten_fit(arguments)

    assert arguments == {"epochs": 1, "validation_data": None, "verbose": 2, "steps_per_epoch": 1}


EARLY = """
import keras
keras.utils.set_random_seed(1)
class Script(keras.callbacks.Callback):
    def __init__(self, values): self.values = values
    def on_epoch_end(self, epoch, logs=None):
        if epoch < len(self.values) and self.values[epoch] is not None:
            logs["worth"] = self.values[epoch]
def train(values):
    return len(make_model(keras).fit(x, y, epochs=9, verbose=0, callbacks=[Script(values)]).epoch)
"""


@pytest.mark.keras
@pytest.mark.parametrize(("backend", "fast"), [("jax", False), ("tensorflow", True)])
def test_a_fit_ends_when_its_metric_gets_no_better_and_the_script_goes_on(
    hooked: HookedRun, backend: str, *, fast: bool
) -> None:
    stop_when = {"metric": "worth", "patience": 2, "min_delta": 0.1, "mode": "max"}
    hooked.describe(stop_when=stop_when, fast=fast)
    script = """
scripts = [1, 2, None, 2.05, float("nan"), 3], [1, 2, 3, 4, 5, 6, 7, 8, 9], [], [1, 0, 0]
counts = [train(script) for script in scripts]
json.dump(counts, open("counts.json", "w"))
"""

    output = hooked.run(EARLY + script, backend=backend)

    assert hooked.read("counts.json") == [5, 9, 9, 3]
    reason = "stopped early after epoch 4 of fit 0: worth has not got better since epoch 1 (2)"
    last = "2 fits stopped early, the last after epoch 2 of fit 3: worth has not got better since epoch 0 (1)"
    missing = "stop_when: fit 2 logs no worth, only loss, mae"
    assert [each.removeprefix("launcher: ") for each in output.said] == [
        f"stop_when: {reason}",
        missing,
        f"stop_when: {last}",
    ]
    verdict = json.loads((hooked.folder / "verdict.json").read_text())
    assert verdict == {"state": "succeeded", "reason": last}


class Model:
    """A model as far as stop_when knows it."""

    stop_training = False


@pytest.mark.parametrize(
    ("settings", "values", "ends_after"),
    [
        ({"metric": "val_loss", "patience": 1}, [3.0, 2.0, 1.0, 1.0], 3),
        ({"metric": "val_loss", "patience": 1, "mode": "max"}, [3.0, 2.0], 1),
        ({"metric": "val_accuracy", "patience": 2}, [0.5, 0.6, 0.6, 0.5], 3),
        ({"metric": "loss", "patience": 2, "min_delta": 0.5}, [3.0, 2.4, 2.0, 1.9], 3),
        ({"metric": "loss", "patience": 1}, [NAN], 0),
        ({"metric": "loss", "patience": 9}, [1.0] * 9, None),
    ],
)
def test_which_epoch_is_the_last(
    settings: dict[str, Any], values: list[float], ends_after: int | None
) -> None:
    model = Model()
    patience = Patience(settings, model=model)

    ended = [patience.see(epoch, {settings["metric"]: value}) for epoch, value in enumerate(values)]

    assert next((epoch for epoch, why in enumerate(ended) if why), None) == ends_after
    assert model.stop_training is (ends_after is not None)
