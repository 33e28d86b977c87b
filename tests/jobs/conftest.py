"""The jobs' scripts, as modules and as processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.jobs.small_data import FASHION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

PROJECT = Path(__file__).parents[2]
JOBS = PROJECT / "jobs"
NOWHERE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}  # a network that refuses


class RunScript(Protocol):
    def __call__(
        self,
        script: str,
        *arguments: str,
        into: Path,
        env: Mapping[str, str] | None = None,
        succeeds: bool = True,
    ) -> str: ...


@pytest.fixture(scope="session")
def pima() -> ModuleType:
    return _import_script("pima/train.py")


@pytest.fixture(scope="session")
def sonar() -> ModuleType:
    return _import_script("sonar/train.py")


@pytest.fixture(scope="session")
def batch_size() -> ModuleType:
    return _import_script("sonar/batch_size.py")


@pytest.fixture(scope="session")
def regression() -> ModuleType:
    return _import_script("regression/train.py")


@pytest.fixture(scope="session")
def mnist() -> ModuleType:
    return _import_script("mnist/train.py")


@pytest.fixture(scope="session")
def fashion() -> ModuleType:
    return _import_script("fashion/train.py")


@pytest.fixture(scope="session")
def boston() -> ModuleType:
    return _import_script("boston/train.py")


@pytest.fixture(scope="session")
def imdb() -> ModuleType:
    return _import_script("words/imdb.py")


@pytest.fixture(scope="session")
def reuters() -> ModuleType:
    return _import_script("words/reuters.py")


@pytest.fixture(scope="session")
def mammography() -> ModuleType:
    return _import_script("mammography/train.py")


@pytest.fixture(scope="session")
def regularisation() -> ModuleType:
    return _import_script("regularisation/train.py")


@pytest.fixture
def fashion_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Keras that has the whole of Fashion-MNIST."""
    if not FASHION.is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    home = tmp_path / "keras"
    (home / "datasets").mkdir(parents=True)
    (home / "datasets" / FASHION.name).symlink_to(FASHION)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(home))  # KERAS_HOME is read at import
    return home


@pytest.fixture(scope="session")
def run_script() -> RunScript:
    return _run_script


def _import_script(name: str) -> ModuleType:
    """Import a script as Python would start it: its own folder stands first in the path."""
    path = JOBS / name
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def _run_script(
    script: str, *arguments: str, into: Path, env: Mapping[str, str] | None = None, succeeds: bool = True
) -> str:
    """Run a script as a person would, in an empty folder; returns what it printed."""
    into.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, JOBS / script, *arguments],
        cwd=into,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    assert (done.returncode == 0) == succeeds, done.stdout
    return done.stdout
