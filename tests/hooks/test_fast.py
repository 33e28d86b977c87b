"""fast: true changes no number of a fit on arrays but the order of shuffled samples; the rest it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

TRAIN = """
import hashlib, keras
keras.utils.set_random_seed(3)
x = np.random.RandomState(1).random((45, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
results = {}

def digest(model):
    return hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()

def train(name, model, *data, **how):
    keras.utils.set_random_seed(5)
    history = model.fit(*data, **{"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0, **how})
    results[name] = [digest(model), history.epoch, history.history]
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
      validation_data=({"right": x[:11], "left": x[:11]}, [y[:11], x[:11, :2]]), validation_batch_size=4)

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
json.dump(results, open("results.json", "w"))
"""


def results(hooked: HookedRun, script: str, *, fast: bool, **how: Any) -> tuple[dict[str, Any], Any]:
    """Run a script, and return what it found and what is said of the fast way."""
    hooked.describe(fast=fast)
    hooked.run(TRAIN + script, backend="tensorflow", **how)
    return hooked.read("results.json"), hooked.metrics.get("fast")


@pytest.mark.keras
def test_no_bit_changes_without_shuffling(hooked: HookedRun) -> None:
    plain, said = results(hooked, CASES, fast=False)
    assert said is None

    fast, said = results(hooked, CASES, fast=True)

    assert {name: fast[name] for name in plain} == plain
    assert said == {"fits": 7, "plain": {"the number of its steps is given": 1}}
