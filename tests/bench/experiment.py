"""A whole experiment, sonar-dropout with 3 repeats, v the tutorial's own way: one process, loops, plain fit.

The tutorial's way takes a quarter of an hour, so by default both do a stated part and a network's share
counts; `python -m tests.bench experiment-whole` runs both to the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from tests.bench.project import launcher, project
from tests.bench.row import Row, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOBS = Path(__file__).parents[2] / "jobs"
_PLACEMENTS, _FOLDS, _REPEATS = 3, 10, 3
_NETWORKS = _PLACEMENTS * _FOLDS * _REPEATS
_TARGET = 10.0

# The job's own data, folds and networks; only who loops is another, and that fit is plain.
_LOOPS = """
import sys
import keras
import train

repeats, folds = map(int, sys.argv[1:])
X, y = train.load_data()
for seed in range(7, 7 + repeats):
    keras.utils.set_random_seed(seed)
    for placement in ("none", "visible", "hidden"):
        for fold in range(folds):
            rows, test = train.split_rows(y, fold=fold, folds=10, seed=seed)
            scaled = train.standardise(X, train=rows)
            model = train.build_model(placement)
            model.fit(scaled[rows], y[rows], epochs=300, batch_size=16, verbose=0)
            print(model.evaluate(scaled[test], y[test], verbose=0)[1])
"""


@dataclass(frozen=True, slots=True)
class _Done:
    """What a way did: how many networks, in how long, and their mean accuracy on the held-out folds."""

    networks: int
    seconds: float
    accuracy: float

    def text(self) -> str:
        return f"{self.seconds:.0f} s for {self.networks} (accuracy {self.accuracy:.3f})"


def measure() -> Iterator[Row]:
    """Do one of three repeats, and of the loops two of ten folds of it."""
    with project() as folder:
        yield _row(_submit(folder, repeats=1), _loop(folder, repeats=1, folds=2))


def measure_whole() -> Iterator[Row]:
    """Run both to the end."""
    with project() as folder:
        yield _row(_submit(folder, repeats=_REPEATS), _loop(folder, repeats=_REPEATS, folds=_FOLDS))


def _row(ours: _Done, theirs: _Done) -> Row:
    ratio = theirs.seconds / theirs.networks / (ours.seconds / ours.networks)
    what = (
        f"sonar-dropout, {_NETWORKS} networks, two at a time, warm and fast v one process, loops, plain fit"
    )
    return Row(what, ours.text(), theirs.text(), ratio, f">= {_TARGET:g} x faster", ratio >= _TARGET)


def _submit(folder: Path, *, repeats: int) -> _Done:
    shutil.copytree(_JOBS / "sonar", folder / "sonar")
    shutil.copy(_JOBS / "sonar-dropout.yaml", folder)
    (folder / ".launcher").mkdir()
    size = ("--set", f"repeats={repeats}", "--slots", "2")
    took = seconds(lambda: launcher(folder, "submit", "sonar-dropout.yaml", *size))
    rows = json.loads(launcher(folder, "compare", "--json"))["groups"][0]["rows"]
    return _Done(_PLACEMENTS * _FOLDS * repeats, took, fmean(row["mean"] for row in rows))


def _loop(folder: Path, *, repeats: int, folds: int) -> _Done:
    printed: list[str] = []
    took = seconds(lambda: printed.extend(_run_loops(folder / "sonar", repeats, folds)))
    return _Done(len(printed), took, fmean(map(float, printed)))


def _run_loops(scripts: Path, repeats: int, folds: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LOOPS, str(repeats), str(folds)],
        cwd=scripts,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    return done.stdout.split()
