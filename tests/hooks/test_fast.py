"""fast: true changes no number of a fit on arrays but the order of shuffled samples; the rest it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from launcher.hooks.launcher_fast_calls import FastFunction
from launcher.hooks.launcher_fast_data import Order, find_place

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

TRAIN = """
import hashlib, keras, sys
keras.utils.set_random_seed(3)
x = np.random.RandomState(1).random((45, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
results = {}

def digest(model):
    return hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()

def train(name, model, *data, **how):
    keras.utils.set_random_seed(5)
    history = model.fit(*data, **{"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0, **how})
    results[name] = [digest(model), history.epoch, repr(history.history)]
    json.dump(results, open("results.json", "w"))

def dense(units=1, *, loss="mse", rate=0.0, optimizer="adam", metric="mae", **how):
    keras.utils.set_random_seed(4)
    layers = [keras.layers.Dense(3, activation="tanh"), keras.layers.Dropout(rate), keras.layers.Dense(units)]
    model = keras.Sequential(layers)  # built by its first batch
    model.compile(optimizer, loss, metrics=[metric], **how)
    return model
"""
# What there is to a fit, together as far as it goes: what takes its time here is making graphs.
CASES = """
one = dense(rate=0.4)
train("partial batch, dropout, validation split", one, x, y, validation_split=0.3)
train("other data, no partial batch, a list", one, x[:32].astype("float64"), y[:32], validation_data=[x, y])
train("tensors, default size", one, keras.ops.convert_to_tensor(x), y, batch_size=None, initial_epoch=1)
results["evaluate"] = one.evaluate(x, y, return_dict=True, verbose=0, batch_size=7, sample_weight=y[:, 0])
by_hand = one.train_on_batch(x, y), one.test_on_batch(x, y)
results["by hand"] = [float(np.ravel(each)[0]) for each in by_hand]
one.fit(((x, y) for _ in range(4)), steps_per_epoch=2, epochs=2, verbose=0)
results["generator after it"] = digest(one)

labels = (y[:, 0] > 2).astype("int32")
logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model = dense(2, loss=logits, metric="accuracy",
              optimizer=keras.optimizers.SGD(0.1, momentum=0.8, gradient_accumulation_steps=2),
              steps_per_execution=4)
train("class_weight, validation steps", model, x, labels, class_weight={0: 1.0, 1: 3.0},
      validation_data=(x, labels), validation_steps=2, validation_freq=2)
model.compile("sgd", "mae")
train("compiled again, smaller than a batch", model, x[:5], y[:5], sample_weight=y[:5, 0], epochs=2)

keras.utils.set_random_seed(4)
left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
joined = keras.layers.Concatenate()([left, right])
model = keras.Model({"left": left, "right": right},
                    [keras.layers.Dense(1, name="sum")(joined), keras.layers.Dense(2, name="other")(joined)])
model.compile("adam", ["mse", "mae"], metrics=[["mae"], ["mse"]])
inputs, outputs = {"right": x, "left": x[:, ::-1]}, [y, x[:, :2]]
train("several inputs, outputs and weights", model, inputs, outputs, sample_weight=[y[:, 0], x[:, 0]],
      validation_data=({"right": x[:11], "left": x[:11]}, [y[:11], x[:11, :2]]), verbose=1,
      validation_batch_size=4)

model = keras.Sequential([
    keras.Input((4,)), keras.layers.Dropout(0.3),
    keras.layers.Dense(5, "relu", kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(1)),
    keras.layers.BatchNormalization(), keras.layers.Dense(1, activation="sigmoid")])
model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy", metrics=["accuracy", "auc"])
train("built before it is fitted", model, x, labels, class_weight={0: 1.0, 1: 3.0}, validation_split=0.2)

class Watch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        seen = self.model.evaluate(x, y, verbose=0), self.model.predict(x, verbose=0).tolist()
        results.setdefault("callback", []).append([self.params["steps"], seen, sorted(logs)])
best = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
stop = keras.callbacks.EarlyStopping(patience=0, min_delta=9, start_from_epoch=2, restore_best_weights=True)
train("callbacks", dense(), x, y, validation_split=0.2, epochs=9, callbacks=[
    Watch(), best, stop, keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=9),
    keras.callbacks.LearningRateScheduler(lambda _, rate: rate / 2), keras.callbacks.CSVLogger("log.csv")])
results["log.csv"] = open("log.csv").read()

import contextlib, io
model, broken = dense(), y.copy()
broken[20] = np.inf
with contextlib.redirect_stdout(io.StringIO()) as printed:
    train("a loss that is no number", model, x, broken, callbacks=[keras.callbacks.TerminateOnNaN()])
    if calls := sys.modules.get("_launcher_hooks.launcher_fast_calls"):
        calls._CALL_S = 0  # each step is a call, so the one with that loss is the last of its own
    train("at the end of a call", dense(), x, broken, callbacks=[keras.callbacks.TerminateOnNaN()])
try:
    model.fit(x, y, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN(raise_error=True)])
except RuntimeError as error:
    results["no number"] = printed.getvalue(), str(error), model.stop_training
json.dump(results, open("results.json", "w"))
"""


ORDER = """
import tensorflow as tf
seen = []

class Record(keras.layers.Layer):
    def call(self, rows):
        tf.py_function(lambda batch: seen[-1].append(batch.numpy().astype(int).tolist()), [rows[:, 0]], [])
        return rows

class Begin(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        seen.append([])

keras.utils.set_random_seed(int(os.environ["SEED"]))
model = keras.Sequential([Record(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
rows = np.arange(9, dtype="float32")[:, None] * np.ones((1, 2), "float32")
for first in map(int, os.environ["FIRST"].split()):
    model.fit(rows, rows[:, :1], batch_size=4, initial_epoch=first, epochs=3, verbose=0, callbacks=[Begin()])
json.dump(seen, open("results.json", "w"))
"""
# Fits that go the plain way, and one that has a say in each batch and goes the fast one.
PLAIN = """
class Own(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
    def call(self, rows):
        return self.layer(rows)
    def train_step(self, data):
        return super().train_step(data)

class Stop(keras.callbacks.TerminateOnNaN):
    pass

count = []
each = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: count.append(batch))
model, eager, own = dense(), dense(run_eagerly=True), Own(keras.layers.Dense(1))
own.compile("sgd", "mse")
how = {"batch_size": 16, "verbose": 0}
model.fit(x, y, callbacks=[each], **how)
model.fit(x, y, callbacks={"a": [Stop()]}, **how)
model.fit(x, y, shuffle="batch", **how)
model.fit(x, y, steps_per_epoch=2, **how)
eager.fit(x, y, **how)
own.fit(x, y, **how)
progress = {"epochs": 1, "steps": 3, "verbose": 2}
listed = keras.callbacks.CallbackList([], add_history=True, add_progbar=True, model=model, **progress)
history = model.fit(x, y, callbacks=listed, batch_size=16)
try:
    model.fit(x, y[:7], **how)
except ValueError as error:
    said = str(error)
def refuse(*_):
    raise ValueError("no loop")
sys.modules["_launcher_hooks.launcher_fast_calls"]._make_loop = refuse
model, broken = dense(), y.copy()
broken[20] = np.inf
model.fit(x, y, **how)
model.fit(x, broken, shuffle=False, epochs=3, callbacks=[keras.callbacks.TerminateOnNaN()], **how)
by_step = int(model.optimizer.iterations), model.stop_training
json.dump([count, len(history.epoch), len(listed.callbacks), said[:27], by_step],
          open("results.json", "w"))
"""
TRACED = """
traced, train_step = [], keras.Model.train_step
def count(self, data):
    traced.append(self.name)
    return train_step(self, data)
keras.Model.train_step = count
for layers in ([keras.Input((4,)), keras.layers.Dense(1)], [keras.layers.Dense(1)]):
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(x, y, verbose=0)
json.dump(len(traced), open("results.json", "w"))
"""
SEEDS = 16
MANY = f"""
losses, model = [], dense(rate=0.2, optimizer="sgd")
for seed in range({SEEDS}):
    keras.utils.set_random_seed(seed)
    if model.built:
        model.set_weights([np.random.normal(0, 0.5, each.shape) for each in model.get_weights()])
    model.fit(x, y, epochs=6, batch_size=4, verbose=0)
    losses.append(model.evaluate(x, y, verbose=0)[0])
json.dump(losses[1:], open("results.json", "w"))
"""


def results(hooked: HookedRun, script: str, *, fast: bool, attempt: int = 1, **env: str) -> tuple[Any, Any]:
    """Run a script, and return what it found and what is said of the fast way."""
    hooked.describe(fast=fast, attempt=attempt)
    hooked.run(TRAIN + script, backend="tensorflow", env=env)
    return hooked.read("results.json"), hooked.metrics.get("fast")


def rows_of(hooked: HookedRun, *, attempt: int) -> list[dict[str, str]]:
    """Return history.csv without what differs by nature."""
    own = [row for row in hooked.rows if row["attempt"] == str(attempt)]
    return [{name: value for name, value in row.items() if name not in ("attempt", "seconds")} for row in own]


@pytest.mark.keras
def test_no_bit_changes_without_shuffling(hooked: HookedRun) -> None:
    plain, said = results(hooked, CASES, fast=False)
    assert said is None

    fast, said = results(hooked, CASES, fast=True, attempt=2)

    assert {name: fast[name] for name in plain} == plain
    assert rows_of(hooked, attempt=2) == rows_of(hooked, attempt=1)
    assert said == {"fits": 11, "plain": {"the number of its steps is given": 1}}


@pytest.mark.keras
def test_a_model_that_is_built_has_its_step_traced_once(hooked: HookedRun) -> None:
    """One that is built by its first batch makes variables meanwhile, and is traced again, as in Keras."""
    assert results(hooked, TRACED, fast=True)[0] == 1 + 2


@pytest.mark.keras
def test_each_epoch_has_an_order_of_its_own_that_the_seed_decides(hooked: HookedRun) -> None:
    seen, _ = results(hooked, ORDER, fast=True, SEED="7", FIRST="0 0")
    late, _ = results(hooked, ORDER, fast=True, SEED="7", FIRST="2")
    other, _ = results(hooked, ORDER, fast=True, SEED="8", FIRST="2")

    assert [[len(batch) for batch in epoch] for epoch in seen] == [[4, 4, 1]] * 6
    orders = [tuple(row for batch in epoch for row in batch) for epoch in seen]
    assert {tuple(sorted(order)) for order in orders} == {tuple(range(9))}
    assert len(set(orders)) == 6
    assert late == [seen[2]]  # a fit that goes on later visits its samples as it would have
    assert other != late


@pytest.mark.keras
def test_shuffled_fits_come_to_the_same_losses(hooked: HookedRun) -> None:
    plain, _ = results(hooked, MANY, fast=False)
    fast, said = results(hooked, MANY, fast=True, attempt=2)

    assert said == {"fits": SEEDS, "plain": {}}
    differences = np.array(fast) - np.array(plain)
    signs = np.random.default_rng(0).choice([-1, 1], (10_000, SEEDS - 1))
    by_chance = np.abs((signs * differences).mean(axis=1))
    assert (by_chance >= abs(differences.mean())).mean() > 0.01
    assert fast != plain


@pytest.mark.keras
def test_what_it_does_not_know_goes_the_plain_way_and_is_told(hooked: HookedRun) -> None:
    hooked.describe(fast=True)

    output = hooked.run(TRAIN + PLAIN, backend="tensorflow")

    assert hooked.read("results.json") == [[0, 1, 2], 1, 2, "Data cardinality is ambiguo", [5, True]]
    wants = "wants to see every batch"
    reasons = [
        f"its callback LambdaCallback {wants}",
        f"its callback Stop {wants}",
        'shuffle="batch" is not known here',
        "the number of its steps is given",
        "its model runs eagerly",
        "its model has a train_step of its own",
    ]
    assert hooked.metrics["fast"] == {"fits": 3, "plain": dict.fromkeys(reasons, 1)}
    said = [f"launcher: this fit goes the plain way: {reason}" for reason in reasons]
    assert output.said[:6] == said
    assert output.said[6].startswith("launcher: this fit goes the plain way: ValueError: Data cardinality")
    assert output.said[7:] == ["launcher: its steps are run one by one: ValueError: no loop"]


@pytest.mark.keras
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_are_left_as_they_are(hooked: HookedRun, backend: str) -> None:
    hooked.describe(fast=True)

    hooked.run("import keras\nmake_model(keras).fit(x, y, verbose=0)", backend=backend)

    reason = f"there is none for the {backend} backend"
    assert hooked.metrics["fast"] == {"fits": 0, "plain": {reason: 1}}


def test_an_order_of_none_is_that_of_the_arrays() -> None:
    assert Order().draw(3, 4).tolist() == [0, 1, 2, 3]
    assert Order(7, 0).draw(3, 100).tolist() == Order(7, 0).draw(3, 100).tolist()


@pytest.mark.parametrize(
    ("shapes", "place"), [([(1 << 25,)], None), ([(1 << 13, 1 << 12), (1 << 25,)], "CPU:0"), ([], None)]
)
def test_large_data_stay_off_the_gpu(shapes: list[tuple[int, ...]], place: str | None) -> None:
    arrays = [np.broadcast_to(np.float64(0), shape) for shape in shapes]

    assert find_place(arrays) == place


@pytest.mark.parametrize(("took", "pace"), [([0.5], 1), ([1e-4, 1e-4], 256), ([1e-4, 8.0], 1)])
def test_a_call_takes_half_a_second(took: list[float], pace: int) -> None:
    function = FastFunction(None, "train_step")

    for seconds in took:
        function.adapt(function.pace, seconds)

    assert function.pace == pace
