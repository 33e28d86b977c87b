"""history.csv holds exactly what Keras' own History objects hold, for every way to train."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

pytestmark = pytest.mark.keras

BACKENDS = ("tensorflow", "jax", "torch")

WAYS_TO_TRAIN = """
import keras
from keras import Model
from keras.src.models import model as inner  # the same class, by its private way

assert inner.Model is keras.Model is Model

# 0: plain, with a validation split; 1: the same model again, from a later epoch
model = make_model(keras)
keep(model.fit(x, y, epochs=3, batch_size=8, verbose=0, validation_split=0.25), fit=0)
keep(model.fit(x, y, 8, 5, 0, initial_epoch=3), fit=1)

# 2: no epochs, no rows; 3: fails before it begins, and the script goes on
model.fit(x, y, epochs=0, verbose=0)
try:
    model.fit(x, y[:3], epochs=2, verbose=0)
except ValueError:
    pass

# 4: validation in every second epoch, a callback that puts in values of its own, and one that stops
class Mutate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["loss"] = logs["loss"] * 2
        logs["added"] = epoch / 3

callbacks = [
    Mutate(),
    keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
    keras.callbacks.EarlyStopping("added", mode="min", patience=2),
]
history = model.fit(x, y, 24, 9, 0, callbacks, validation_data=(x, y), validation_freq=2)
keep(history, fit=4)
assert len(callbacks) == 3

# 5: one callback, no list; 6: a tuple; 7: a CallbackList; 8: an own History before one that changes logs
keep(model.fit(x, y, epochs=1, verbose=0, callbacks=Mutate()), fit=5)
keep(model.fit(x, y, epochs=1, verbose=0, callbacks=(Mutate(),)), fit=6)
callbacks = keras.callbacks.CallbackList([Mutate()], add_history=True, model=model)
keep(model.fit(x, y, epochs=1, verbose=0, callbacks=callbacks, validation_data=(x, y)), fit=7)
assert [type(each).__name__ for each in callbacks.callbacks] == ["Mutate", "History"]
keep(model.fit(x, y, epochs=1, verbose=0, callbacks=[keras.callbacks.History(), Mutate()]), fit=8)

# 9: a model with its own train_step and its own fit and evaluate, which is one fit, not two
class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)

    def fit(self, *args, **kwargs):
        return super().fit(*args, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        kwargs.pop("_use_cached_eval_dataset", None)
        return super().evaluate(x, y, **kwargs)

    if keras.backend.backend() == "tensorflow":
        def train_step(self, data):
            import tensorflow as tf

            inputs, targets = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(y=targets, y_pred=self(inputs))
            grads = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(grads, self.trainable_variables)
            return {"my_loss": loss, "twice": 2 * loss}

own = Own()
own.compile("sgd", "mse")
keep(own.fit(x, y, epochs=2, verbose=0, validation_data=(x, y)), fit=9)

# 10: a Python generator; 11: a PyDataset with class weights
labels = (y > 2).astype("int32")
classify = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
classify.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

def batches():
    while True:
        yield x[:8], labels[:8]

keep(classify.fit(batches(), steps_per_epoch=3, epochs=2, verbose=0), fit=10)

class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return x[index * 8 : index * 8 + 8], labels[index * 8 : index * 8 + 8]

keep(classify.fit(Batches(), epochs=2, class_weight={0: 1.0, 1: 3.0}, verbose=0), fit=11)

# 12: several outputs; 13: another model trains inside an epoch of 12
class Inside(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            keep(model.fit(x, y, epochs=2, verbose=0), fit=13)

inputs = keras.Input((4,))
outputs = [keras.layers.Dense(1, name="left")(inputs), keras.layers.Dense(1, name="right")(inputs)]
both = Model(inputs, outputs)
both.compile("sgd", {"left": "mse", "right": "mae"}, metrics={"left": ["mae"], "right": ["mse"]})
keep(both.fit(x, {"left": y, "right": y}, epochs=2, verbose=0, callbacks=[Inside()]), fit=12)

# 14: in a thread; 15: a metric whose name is a column of ours, and one with a comma, quotes and a line end
import threading

thread = threading.Thread(target=lambda: keep(model.fit(x, y, epochs=2, verbose=0), fit=14))
thread.start()
thread.join()
hostile = [keras.metrics.MeanAbsoluteError(name="epoch"), keras.metrics.MeanSquaredError(name='a, "b"\\nc')]
named = make_model(keras, metrics=hostile)
history = named.fit(x, y, epochs=2, verbose=0)
history.history["logs.epoch"] = history.history.pop("epoch")
keep(history, fit=15)

# 16: something that is no number; 17: raises in its second epoch, whose first is kept
class Strange(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs.update(text="3.5", nothing=None, several=np.ones(3), whole=7)

history = model.fit(x, y, epochs=1, verbose=0, callbacks=[Strange()])
for name in ("text", "nothing", "several"):
    del history.history[name]
keep(history, fit=16)

class Fail(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise RuntimeError("on purpose")

try:
    model.fit(x, y, epochs=3, verbose=0, callbacks=[Fail()])
except RuntimeError:
    keep(model.history, fit=17)

# 18: tf.data, and 19: steps that Keras runs several at a time (which torch refuses)
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(24).batch(8)
    keep(tf.keras.Model.fit(model, data, epochs=2, verbose=0), fit=18)
    model.compile("sgd", "mse", steps_per_execution=3)
    keep(model.fit(data, epochs=2, verbose=0, validation_data=data), fit=19)
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_is_what_history_objects_hold(hooked: HookedRun, backend: str) -> None:
    output = hooked.run(WAYS_TO_TRAIN, backend=backend)

    assert output.said == []
    assert hooked.observed == hooked.expected
    assert {row["attempt"] for row in hooked.rows} == {"1"}
    assert all(float(row["seconds"]) > 0 for row in hooked.rows)
    assert hooked.metrics["evaluate"] == []  # validation is not an evaluation


def test_leaves_no_trace_in_what_users_see(hooked: HookedRun) -> None:
    script = """
        import keras, importlib, inspect, pickle, zipfile, sys
        importlib.reload(keras)
        model = make_model(keras)
        history = model.fit(x, y, epochs=1, verbose=0)
        model.save("model.keras")
        with zipfile.ZipFile("model.keras") as archive:
            assert not [name for name in archive.namelist() if b"auncher" in archive.read(name)]
        assert b"auncher" not in pickle.dumps(model)
        keras.models.load_model("model.keras").fit(x, y, epochs=1, verbose=0)
        keras.models.clone_model(model)
        names = list(inspect.signature(keras.Model.fit).parameters)
        assert names[:5] == ["self", "x", "y", "batch_size", "epochs"], names
        assert (keras.Model.fit.__name__, keras.Model.evaluate.__name__) == ("fit", "evaluate")
        assert [entry for entry in sys.path if "launcher/hooks" in entry] == []
        assert "exec_module" not in vars(keras.__spec__.loader)
        assert "LAUNCHER_SEED" not in os.environ
    """

    output = hooked.run(script)

    assert output.said == []
    assert len(hooked.rows) == 2


def test_goes_on_counting_in_other_processes(hooked: HookedRun) -> None:
    script = """
        import keras, multiprocessing, subprocess, sys
        def train(_=None):
            model = make_model(keras)
            model.fit(x, y, epochs=2, verbose=0)
            model.evaluate(x, y, verbose=0)
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(train, [0, 1])
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.map(train, [0])
            train()
    """

    output = hooked.run(script)

    assert output.said == []
    found = sorted((int(row["fit"]), int(row["epoch"])) for row in hooked.rows)
    assert found == [(fit, epoch) for fit in range(4) for epoch in range(2)]
    assert len(hooked.metrics["evaluate"]) == 4


def test_counts_fits_by_attempt_and_keeps_the_rows_of_earlier_ones(hooked: HookedRun) -> None:
    script = """
        import keras
        model = make_model(keras, metrics=os.environ["METRICS"].split())
        model.fit(x, y, epochs=2, verbose=0)
        model.fit(x, y, epochs=1, verbose=0)
        model.evaluate(x, y, verbose=0)
    """
    hooked.run(script, env={"METRICS": "mae"})
    hooked.describe(attempt=2)

    hooked.run(script, env={"METRICS": "mse"})

    found = [(row["attempt"], row["fit"], row["epoch"]) for row in hooked.rows]
    assert found == [
        *(("1", "0", "0"), ("1", "0", "1"), ("1", "1", "0")),
        *(("2", "0", "0"), ("2", "0", "1"), ("2", "1", "0")),
    ]
    assert [bool(row["mae"]) for row in hooked.rows] == [True] * 3 + [False] * 3
    assert [bool(row["mse"]) for row in hooked.rows] == [False] * 3 + [True] * 3
    assert len(hooked.metrics["evaluate"]) == 1  # that of the second attempt


def test_loses_no_epoch_that_ended_before_a_kill(hooked: HookedRun) -> None:
    script = """
        import keras, signal
        class Kill(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
        make_model(keras).fit(x, y, epochs=9, verbose=0, callbacks=[Kill()])
    """

    hooked.run(script, exit_code=-9)

    assert [row["epoch"] for row in hooked.rows] == ["0", "1", "2"]
    assert hooked.metrics["best"]["fit"] == 0


def test_says_so_once_where_it_cannot_be_written(hooked: HookedRun) -> None:
    script = """
        import keras, shutil
        shutil.rmtree(os.path.dirname(os.environ["LAUNCHER_OUTPUT"]), ignore_errors=True)
        model = make_model(keras)
        print(len(model.fit(x, y, epochs=3, verbose=0).history["loss"]), len(model.evaluate(x, y, verbose=0)))
    """

    output = hooked.run(script)

    assert output.stdout == "3 2\n"
    assert [line[:60] for line in output.said] == [
        "launcher: the history of this run is incomplete: FileNotFoun",
        "launcher: the metrics of this run are incomplete: FileNotFou",
    ]


@pytest.mark.parametrize("flag", ["-I", "-S"])
def test_has_none_where_python_is_told_to_ignore_us(hooked: HookedRun, flag: str) -> None:
    process = hooked.start(sys.executable, flag, "-c", "import sys; print('_launcher_hooks' in sys.modules)")

    assert hooked.finish(process).stdout == "False\n"
    assert hooked.rows == []
