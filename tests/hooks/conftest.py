"""A run folder as the runner makes it, and scripts that run in it with the hooks on their PYTHONPATH."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import launcher

SOURCES = Path(launcher.__file__).parent
HOOKS = SOURCES / "hooks"
HOSTILE = "a'; echo b $HOME \"é\n *"
DATA = """
import json, os, random
import numpy as np

x = np.random.RandomState(0).random((24, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
expected = []

def keep(history, *, fit):
    values = {name: [repr(float(each)) for each in seen] for name, seen in history.history.items()}
    expected.append({"fit": fit, "epochs": history.epoch, "values": values})
    json.dump(expected, open("expected.json", "w"))

def make_model(keras, metrics=("mae",)):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=list(metrics))
    return model
"""


@dataclass(frozen=True)
class HookedRun:
    """One run: its folder, and what the hooks have written there."""

    folder: Path

    def describe(self, **known: object) -> None:
        """Write run.json as the runner does before an attempt."""
        plain = {"id": "job-0000-00000000", "metric": None, "mode": None, "stop_on_nan": False, "attempt": 1}
        (self.folder / "run.json").write_text(json.dumps({**plain, "rehearse": False, **known}))

    def start(
        self,
        *argv: str,
        backend: str = "jax",
        seed: int | None = None,
        hooks: Path | None = HOOKS,
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command in the run's work folder; without hooks it is no run."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LAUNCHER_")}
        clean |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
        if hooks is not None:
            clean |= {"LAUNCHER_OUTPUT": str(self.folder / "outputs"), "PYTHONPATH": str(hooks)}
        if seed is not None:
            clean["LAUNCHER_SEED"] = str(seed)
        return subprocess.Popen(
            argv,
            cwd=self.folder / "work",
            env={**clean, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, script: str, *, exit_code: int = 0, name: str = "train.py", **how: Any) -> Output:
        """Run a script to its end, after some common data."""
        text = textwrap.dedent(script)
        (self.folder / "work" / name).write_text(DATA + text if "keras" in text else text, encoding="utf-8")
        return self.finish(self.start(sys.executable, name, **how), exit_code=exit_code)

    def finish(self, process: subprocess.Popen[str], *, exit_code: int = 0) -> Output:
        """Wait for a command to end as it should."""
        stdout, stderr = process.communicate(timeout=240)
        assert process.returncode == exit_code, f"{stdout}\n{stderr}"
        return Output(stdout, stderr)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Read history.csv; no rows where there is none."""
        path = self.folder / "history.csv"
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def metrics(self) -> dict[str, Any]:
        """Read metrics.json."""
        found: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text())
        return found

    def read(self, name: str) -> Any:
        """Read a JSON file that the script left in its work folder."""
        return json.loads((self.folder / "work" / name).read_text())

    @property
    def expected(self) -> list[dict[str, Any]]:
        """Return what the script's own History objects hold, in the order of fits."""
        return sorted(self.read("expected.json"), key=lambda each: int(each["fit"]))

    @property
    def observed(self) -> list[dict[str, Any]]:
        """Return history.csv in the same form."""
        fits: dict[int, dict[str, Any]] = {}
        for row in self.rows:
            fit = fits.setdefault(int(row["fit"]), {"fit": int(row["fit"]), "epochs": [], "values": {}})
            fit["epochs"].append(int(row["epoch"]))
            for name, value in list(row.items())[4:]:
                if value:
                    fit["values"].setdefault(name, []).append(value)
        return [fits[index] for index in sorted(fits)]


@dataclass(frozen=True)
class Output:
    """What a script has printed."""

    stdout: str
    stderr: str

    @property
    def said(self) -> list[str]:
        """Return the lines of the hooks."""
        return [line for line in self.stderr.splitlines() if line.startswith("launcher:")]


@pytest.fixture
def hooked(tmp_path: Path) -> HookedRun:
    """Return a fresh run in a folder with a hostile name."""
    run = HookedRun(tmp_path / HOSTILE)
    for name in ("outputs", "work"):
        (run.folder / name).mkdir(parents=True)
    run.describe()
    return run
