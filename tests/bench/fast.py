"""What `fast: true` saves: a long fit of a small network on one core, and that it learns the same.

Processor seconds of one pinned process, which is what it takes where nothing else runs, and which other
processes disturb least. The target is that of the epochs: the imports, most of what is left of the process,
are not what `fast` is about, and take longer than a fifth of plain Keras' whole process.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import launcher
from launcher.report.statistics import summarize
from tests.bench.project import project
from tests.bench.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOOKS = Path(launcher.__file__).parent / "hooks"
_SCRIPT = Path(launcher.__file__).parents[1] / "jobs" / "sonar" / "train.py"
_EPOCHS = 300
_SEEDS = 20


def measure() -> Iterator[Row]:
    with project() as folder:
        empty = [_train(folder, fast=fast, seed=0, epochs=1) for fast in (False, True)]
        pairs = [[_train(folder, fast=fast, seed=seed) for fast in (False, True)] for seed in range(_SEEDS)]
    plain, fast = ([pair[at] for pair in pairs] for at in (0, 1))
    fits = [run.seconds - base.seconds for run, base in zip((plain[0], fast[0]), empty, strict=True)]
    yield _time_row("the epochs after the first", *fits, least=5.0)
    yield _time_row("the whole process, imports included", plain[0].seconds, fast[0].seconds)
    yield _accuracy_row([run.accuracy for run in plain], [run.accuracy for run in fast])


class _Run:
    """What a training process took, and the last accuracy on the rows that were held out."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.seconds = seconds
        with (folder / "history.csv").open(newline="") as file:
            self.accuracy = float(list(csv.DictReader(file))[-1]["val_accuracy"])


def _train(folder: Path, *, fast: bool, seed: int, epochs: int = _EPOCHS) -> _Run:
    run = folder / f"{'fast' if fast else 'plain'}-{seed}-{epochs}"
    (run / "outputs").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"id": run.name, "attempt": 1, "fast": fast}))
    known = {"LAUNCHER_OUTPUT": str(run / "outputs"), "LAUNCHER_SEED": str(seed), "PYTHONPATH": str(_HOOKS)}
    argv = [sys.executable, str(_SCRIPT), f"--seed={seed}", f"--fold={seed % 10}", f"--epochs={epochs}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        argv,
        cwd=run,
        check=True,
        capture_output=True,
        env={**os.environ, **known, "KERAS_BACKEND": "tensorflow"},
        preexec_fn=_pin,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Run(run, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _pin() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])


def _time_row(what: str, plain: float, fast: float, *, least: float | None = None) -> Row:
    ratio = plain / fast
    target, is_met = (f">= {least:g} x faster", ratio >= least) if least else ("", None)
    name = f"Sonar, {_EPOCHS} epochs, one run on one core, {what}: `fast: true` v plain Keras"
    return Row(name, f"{fast:.1f} s", f"{plain:.1f} s", ratio, target, is_met)


def _accuracy_row(plain: list[float], fast: list[float]) -> Row:
    difference = summarize([ours - theirs for ours, theirs in zip(fast, plain, strict=True)])
    low, high = difference.low or 0.0, difference.high or 0.0
    name = f"its held-out accuracy over {_SEEDS} seeds: mean, and 95 % interval of the difference"
    means = [f"{summarize(values).mean:.4f}" for values in (fast, plain)]
    says = f"{low:+.4f} to {high:+.4f}: holds 0"
    return Row(name, means[0], means[1], None, says, low <= 0 <= high)
