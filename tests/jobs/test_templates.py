"""What `launcher init` writes: an example that loads and trains, and settings that are TOML."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from launcher.spec import load_jobs
from launcher.start_project import start_project
from tests.jobs.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    start_project(tmp_path)
    return tmp_path


def test_the_example_job_loads(project: Path) -> None:
    (job,) = load_jobs([project / "jobs" / "example.yaml"])

    assert job.name == "example"
    assert (job.folder / "train.py").is_file()


@pytest.mark.keras
def test_the_example_script_learns_more_than_the_mean(project: Path, tmp_path: Path) -> None:
    script = project / "jobs" / "example" / "train.py"

    printed = subprocess.run(
        [sys.executable, script, "--seed=7", "--epochs=20", "--units=16"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout

    error = re.search(r"test rows: (\d\.\d+)", printed)
    assert error is not None
    assert float(error[1]) < 0.05  # the variance of the targets is 0.5
    assert (tmp_path / "model.keras").is_file()


def test_the_settings_are_launchers_table(project: Path) -> None:
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))

    assert settings == {"tool": {"launcher": {"on": "local"}}}


def test_the_example_script_is_ordinary_keras() -> None:
    source = (PROJECT / "launcher" / "templates" / "train.py").read_text(encoding="utf-8")

    imported = re.findall(r"^(?:import|from) (\w+)", source, flags=re.MULTILINE)

    assert imported == ["argparse", "keras", "numpy"]
