"""A run of 300 epochs that is killed five times, against the same run left alone; bits compared.

Both at once, a core each, and once more with the cores exchanged: a machine that is shared with others is no
steadier for a quarter of an hour than the difference that is looked for, and one core may be slower.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.bench.project import batch_of, events, launcher, project, wait_until_over
from tests.bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EPOCHS = 300
_KILLS = 5
_LOOK_AGAIN_S = 0.25  # whoever looks does so on the core of the run
_JOB = "folder: job\nrun: python train.py\nneeds: {gpus: 0}\nseed: 7\nlimits: {retries: 5}\ncheckpoint: 1s\n"
# Epochs of some tenths of a second at least, as those that are worth resuming have.
_SCRIPT = f"""
import hashlib, os, pathlib
import keras, numpy as np, tensorflow as tf

keras.utils.set_random_seed(int(os.environ["LAUNCHER_SEED"]))
tf.config.experimental.enable_op_determinism()
x = np.random.random((8_000, 60)).astype("float32")
y = (x[:, :30].sum(axis=1) > x[:, 30:].sum(axis=1)).astype("float32")
layers = [keras.Input((60,)), keras.layers.Dense(60, activation="relu"), keras.layers.Dropout(0.2)]
model = keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=16, epochs={_EPOCHS}, verbose=0)
weights = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
pathlib.Path(os.environ["LAUNCHER_OUTPUT"], "weights").write_text(weights)
"""


def measure() -> Iterator[Row]:
    one, *_, other = sorted(os.sched_getaffinity(0))
    first, second = _take_both(one, other), _take_both(other, one)
    left_alone_s, killed_s = (first[which][0] + second[which][0] for which in (0, 1))
    ratio = killed_s / left_alone_s
    is_same = len({weights for both in (first, second) for _, weights in both}) == 1
    bits = "equal" if is_same else "DIFFER"
    yield Row(
        f"{_EPOCHS} epochs on one core, kill -9 {_KILLS} times, v never; weights {bits}",
        f"{killed_s / 2:.0f} s",
        f"{left_alone_s / 2:.0f} s",
        ratio,
        "<= 1.15",
        is_same and ratio <= 1.15,
    )


def _take_both(core: int, other: int) -> list[tuple[float, str]]:
    """Take a run that is left alone on a core, and one that is killed on another."""
    with ThreadPoolExecutor(2) as both:
        taken = [both.submit(_take, kills=kills, core=where) for kills, where in ((0, core), (_KILLS, other))]
    return [answer.result() for answer in taken]


def _take(*, kills: int, core: int) -> tuple[float, str]:
    """Return how long a run took on one core, in seconds, and the hash of its weights."""
    os.sched_setaffinity(0, [core])  # of this thread, and of what it starts
    with project() as folder:
        (folder / "job").mkdir()
        (folder / "job" / "train.py").write_text(_SCRIPT)
        (folder / "job.yaml").write_text(_JOB)
        (folder / ".launcher").mkdir()
        return _run_and_kill(folder, kills)


def _run_and_kill(folder: Path, kills: int) -> tuple[float, str]:
    began = time.perf_counter()
    batch = batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach"))
    at = random.Random()  # other instants each time
    for kill in range(kills):
        # Anywhere in its share of the epochs, and anywhere in the epoch.
        kill_in(batch, epoch=_EPOCHS * (kill + at.random()) / kills, attempt=kill + 1)
    wait_until_over(batch)
    seconds = time.perf_counter() - began
    (weights,) = batch.glob("runs/*/outputs/weights")
    return seconds, weights.read_text()


def kill_in(batch: Path, *, epoch: float, attempt: int) -> None:
    """Kill an attempt of the only run, with all its processes, when so many epochs have ended.

    For a part of one, that part of the time is waited that the last one took.
    """
    whole, part = divmod(epoch, 1.0)
    while (started := _started(batch, attempt)) is None or len(_read_epochs(batch)) < max(whole, 1):
        time.sleep(_LOOK_AGAIN_S)
    _, last_s = _read_epochs(batch).popitem()
    time.sleep(part * last_s)
    os.killpg(started["pid"], signal.SIGKILL)


def _started(batch: Path, attempt: int) -> dict[str, Any] | None:
    return next((each for each in events(batch, "started") if each["attempt"] == attempt), None)


def _read_epochs(batch: Path) -> dict[str, float]:
    """Return how long each epoch of the only run took that ended in any attempt, in seconds."""
    texts = [path.read_text().splitlines() for path in batch.glob("runs/*/history.csv")]
    return {row["epoch"]: float(row["seconds"]) for row in csv.DictReader(texts[0])} if texts else {}
