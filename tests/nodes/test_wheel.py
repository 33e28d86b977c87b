"""The wheel: in an empty environment it runs a job from any folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from launcher.nodes.runner_zip import build_runner_zip

ROOT = Path(__file__).parents[2]
HOSTILE = "a'; echo b \U0001f9a6"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the sources."""
    return build_wheel(tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist"))


def build_wheel(place: Path, dist: Path) -> Path:
    for name in ("launcher", ".hatch", "ami"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, "--wheel-dir", str(dist), str(place)], check=True)
    return next(dist.glob("*.whl"))


def read_runner(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return hashlib.sha256(archive.read("launcher/runner.pyz")).hexdigest()


def test_it_holds_the_runner_that_any_other_build_makes(wheel: Path) -> None:
    assert read_runner(wheel) == hashlib.sha256(build_runner_zip(ROOT / "launcher")).hexdigest()


def test_it_holds_templates_and_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {f"launcher/templates/{name}" for name in ("example.yaml", "train.py", "settings.toml")} <= names
    assert "launcher/ami/requirements.lock" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {"launcher", "launcher-0.1.0.dist-info"}


def test_an_empty_environment_runs_a_job_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / HOSTILE
    venv.create(place / "env", with_pip=False)
    python = place / "env" / "bin" / "python"
    ours = next((place / "env").glob("lib/python*/site-packages"))
    # Dependencies come from our own environment: the wheel alone is under test. No .pth of it is looked at.
    (ours / "dependencies.pth").write_text("".join(f"{folder}\n" for folder in site.getsitepackages()))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, "--disable-pip-version-check", "--ignore-installed", str(wheel)], check=True)
    (place / "job.yaml").write_text(json.dumps({"run": "echo from the wheel", "needs": {"gpus": 0}}))
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("LAUNCHER_", "COVERAGE_"))
    }

    def call(*words: str) -> str:
        argv = [str(python.with_name("launcher")), *words]
        return subprocess.run(
            argv, capture_output=True, text=True, check=True, cwd=place, env=environ | {"HOME": str(place)}
        ).stdout

    assert "succeeded" in call("submit", "job.yaml")
    assert call("logs", "job") == "from the wheel\n"
    assert "wrote jobs/example.yaml" in call("init")
    [zipped] = (place / ".launcher" / "runner").glob("*.pyz")
    assert hashlib.sha256(zipped.read_bytes()).hexdigest() == read_runner(wheel)
