"""The jobs' scripts, as modules and as processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from types import ModuleType

PROJECT = Path(__file__).parents[2]
JOBS = PROJECT / "jobs"


class RunScript(Protocol):
    def __call__(self, job: str, *arguments: str, into: Path) -> str: ...


@pytest.fixture(scope="session")
def pima() -> ModuleType:
    return _import_script(JOBS / "pima" / "train.py", name="pima_train")


@pytest.fixture(scope="session")
def sonar() -> ModuleType:
    return _import_script(JOBS / "sonar" / "train.py", name="sonar_train")


@pytest.fixture(scope="session")
def regression() -> ModuleType:
    return _import_script(JOBS / "regression" / "train.py", name="regression_train")


@pytest.fixture(scope="session")
def run_script() -> RunScript:
    return _run_script


def _import_script(path: Path, *, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_script(job: str, *arguments: str, into: Path) -> str:
    """Run a job's script as a person would, in an empty folder; returns what it printed."""
    into.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, JOBS / job / "train.py", *arguments],
        cwd=into,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
