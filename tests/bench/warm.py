"""Many short trainings: warm workers against a shell loop, guild and submitit, with the weights compared.

The peers are installed into environments of their own, once, below .bench-cache in the checkout; their runs
use the interpreter of this one, as a user's would.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.project import batch_of, launcher, project, wait_until_over
from tests.bench.row import Row, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = int(os.environ.get("BENCH_WARM_RUNS", "40"))
_CACHE = Path(".bench-cache").absolute()  # .gitignore knows it
_DATA = Path("jobs/sonar/data/sonar.csv").absolute()
_SCRIPT = """\
import hashlib
import keras
import numpy as np

keras.utils.set_random_seed(7)
table = np.loadtxt("sonar.csv", delimiter=",", dtype=str)
X, y = table[:, :60].astype("float32"), (table[:, 60] == "M").astype("float32")
dense = keras.layers.Dense
layers = [dense(60, "relu"), keras.layers.Dropout(0.2), dense(30, "relu"), dense(1, "sigmoid")]
model = keras.Sequential([keras.Input((60,)), *layers])
model.compile(keras.optimizers.SGD(0.01, momentum=0.8), "binary_crossentropy", metrics=["accuracy"])
model.fit(X, y, epochs=5, batch_size=16, verbose=0)
digest = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
open("weights.txt", "a").write(digest + "\\n")
"""
_SUBMITIT = """\
import sys, submitit
executor = submitit.AutoExecutor("logs", cluster="local")
executor.update_parameters(timeout_min=60)
run = submitit.helpers.CommandFunction([sys.argv[1], "train.py"])
for _ in range(int(sys.argv[2])):
    executor.submit(run).result()
"""
_ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("LAUNCHER_")},
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONHASHSEED": "0",
}


def measure() -> Iterator[Row]:
    guild, submitit = _peer("guild", "guildai", "setuptools<80"), _peer("submitit", "submitit")
    bare = _peer("tensorflow", "tensorflow", "--editable", str(Path.cwd()))
    with project() as folder:
        job = write_training(folder)
        loop_s, weights = _loop(job, Path(sys.executable))
        one_s = seconds(lambda: _launcher(folder, 1, weights))
        yield _row("one at a time, v a shell loop", one_s, loop_s, 4.0)
        two_s = seconds(lambda: _launcher(folder, 2, weights))
        yield _row("two at a time, v the same loop", two_s, loop_s, 6.0)
        yield _row("one at a time, v guild", one_s, seconds(lambda: _guild(job, guild)), None)
        yield _row("one at a time, v submitit local", one_s, seconds(lambda: _submitit(job, submitit)), None)
        loop_s, weights = _loop(job, bare)
        one_s = seconds(lambda: _launcher(folder, 1, weights, python=bare))
        yield _row("one at a time, v a shell loop, both with TensorFlow alone", one_s, loop_s, None)


def write_training(folder: Path) -> Path:
    """Write a job folder with a small training and its data."""
    job = folder / "job"
    job.mkdir()
    (job / "train.py").write_text(_SCRIPT)
    (job / "sonar.csv").write_bytes(_DATA.read_bytes())
    return job


def _row(what: str, ours_s: float, peer_s: float, least: float | None) -> Row:
    times = peer_s / ours_s
    target, is_met = (f">= {least:g} x faster", times >= least) if least else ("", None)
    shown = f"{RUNS} runs of Sonar, 5 epochs: {what} ({times:.1f} x faster)"
    return Row(shown, f"{ours_s:.1f} s", f"{peer_s:.1f} s", ours_s / peer_s, target, is_met)


def _loop(job: Path, python: Path) -> tuple[float, set[str]]:
    """Return how many seconds a shell loop takes, and the weights that it finds."""
    argv = ["/bin/sh", "-c", f"for i in $(seq {RUNS}); do {python} train.py || exit; done"]
    took = seconds(lambda: subprocess.run(argv, cwd=job, env=_ENVIRON, check=True, capture_output=True))
    weights = set((job / "weights.txt").read_text().split())
    (job / "weights.txt").unlink()
    return took, weights


def _launcher(folder: Path, slots: int, weights: set[str], *, python: Path = Path(sys.executable)) -> None:
    # The same seed in every run: what differs would be a difference of ours.
    job = {"folder": "job", "run": "python train.py", "repeats": RUNS, "seed": 7, "needs": {"gpus": 0}}
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    (folder / "job.yaml").write_text(json.dumps({**job, "env": env}))
    (folder / ".launcher").mkdir(exist_ok=True)
    size = ("--slots", str(slots))
    said = launcher(
        folder, "submit", "job.yaml", "--detach", *size, program=str(python.with_name("launcher"))
    )
    batch = batch_of(folder, said)
    wait_until_over(batch)
    found = [path.read_text().split() for path in batch.glob("runs/*/outputs/weights.txt")]
    if len(found) != RUNS or {digest for each in found for digest in each} != weights:
        raise AssertionError(f"other weights, or not all: {found} {weights}")


def _peer(name: str, *requirements: str) -> Path:
    """Return the interpreter of a peer's own environment, which is made where it is not there."""
    home = _CACHE / name
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        (home / "complete").touch()
    return python


def _guild(job: Path, python: Path) -> None:
    # Its own packages, which it would hand on, are not those of the training.
    (job / "guild.yml").write_text(
        f"train:\n  exec: env -u PYTHONPATH {sys.executable} train.py\n  sourcecode: ['*.py', '*.csv']\n"
    )
    runs = job.with_name("guild")
    runs.mkdir()
    home = {**_ENVIRON, "GUILD_HOME": str(runs)}
    for _ in range(RUNS):
        argv = [str(python.with_name("guild")), "run", "train", "--yes"]
        subprocess.run(argv, cwd=job, env=home, check=True, capture_output=True)


def _submitit(job: Path, python: Path) -> None:
    argv = [str(python), "-c", _SUBMITIT, sys.executable, str(RUNS)]
    subprocess.run(argv, cwd=job, env=_ENVIRON, check=True, capture_output=True)
    (job / "weights.txt").unlink()
    shutil.rmtree(job / "logs")
