"""A whole experiment, sonar-dropout with 3 repeats, v the tutorial's own way: one process, loops, plain fit.

The tutorial's way takes most of an hour, so by default it does a stated part, half of it before ours and half
after, and its whole is a start and the share of each network. `python -m tests.bench experiment-whole` runs
it to the end.
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
import sys, time
import keras
import train

repeats, first, last = map(int, sys.argv[1:])
began = time.perf_counter()
X, y = train.load_data()
for seed in range(7, 7 + repeats):
    keras.utils.set_random_seed(seed)
    for placement in ("none", "visible", "hidden"):
        for fold in range(first, last):
            rows, test = train.split_rows(y, fold=fold, folds=10, seed=seed)
            scaled = train.standardise(X, train=rows)
            model = train.build_model(placement)
            model.fit(scaled[rows], y[rows], epochs=300, batch_size=16, verbose=0)
            print(model.evaluate(scaled[test], y[test], verbose=0)[1], time.perf_counter() - began)
"""


@dataclass(frozen=True, slots=True)
class _Done:
    """What a way did: networks, seconds, mean accuracy on the held-out folds; and what all would take."""

    networks: int
    seconds: float
    accuracy: float
    whole_s: float

    def text(self) -> str:
        return f"{self.seconds:.0f} s for {self.networks} (accuracy {self.accuracy:.3f})"


def measure() -> Iterator[Row]:
    """Do all of it our way, and of the loops two of ten folds of one of three repeats."""
    with project() as folder:
        before = _loop(repeats=1, folds=(0, 1))
        ours = _submit(folder)
        yield _row(ours, _add(before, _loop(repeats=1, folds=(1, 2))))


def measure_whole() -> Iterator[Row]:
    """Run both to the end."""
    with project() as folder:
        yield _row(_submit(folder), _loop(repeats=_REPEATS, folds=(0, _FOLDS)))


def _add(one: _Done, other: _Done) -> _Done:
    both = one.networks + other.networks
    accuracy = (one.networks * one.accuracy + other.networks * other.accuracy) / both
    return _Done(both, one.seconds + other.seconds, accuracy, (one.whole_s + other.whole_s) / 2)


def _row(ours: _Done, theirs: _Done) -> Row:
    ratio = theirs.whole_s / ours.whole_s
    what = (
        f"sonar-dropout, {_NETWORKS} networks, two at a time, warm and fast v one process, loops, plain fit"
    )
    return Row(what, ours.text(), theirs.text(), ratio, f">= {_TARGET:g} x faster", ratio >= _TARGET)


def _submit(folder: Path) -> _Done:
    shutil.copytree(_JOBS / "sonar", folder / "sonar")
    shutil.copy(_JOBS / "sonar-dropout.yaml", folder)
    (folder / ".launcher").mkdir()
    size = ("--set", f"repeats={_REPEATS}", "--slots", "2")
    took = seconds(lambda: launcher(folder, "submit", "sonar-dropout.yaml", *size))
    rows = json.loads(launcher(folder, "compare", "--json"))["groups"][0]["rows"]
    return _Done(_NETWORKS, took, fmean(row["mean"] for row in rows), took)


def _loop(*, repeats: int, folds: tuple[int, int]) -> _Done:
    printed: list[str] = []
    took = seconds(lambda: printed.extend(_run_loops(repeats, *folds)))
    accuracies, ends = ([float(line.split()[column]) for line in printed] for column in (0, 1))
    start_s = took - ends[-1]
    whole_s = start_s + ends[-1] / len(ends) * _NETWORKS
    return _Done(len(printed), took, fmean(accuracies), whole_s)


def _run_loops(*numbers: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LOOPS, *map(str, numbers)],
        cwd=_JOBS / "sonar",
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    return done.stdout.splitlines()
