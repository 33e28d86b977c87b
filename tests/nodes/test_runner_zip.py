"""runner.pyz: the same bytes everywhere, and nothing in it that a node does not need."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import launcher
from launcher.nodes.runner_zip import build_runner_zip, runner_zip

PACKAGE = Path(launcher.__file__).parent


def test_two_builds_give_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "a'; echo b" / "launcher")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))

    assert build_runner_zip(copy) == build_runner_zip(PACKAGE) == runner_zip()


def test_it_holds_the_two_islands_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(runner_zip())) as archive:
        names = archive.namelist()
        entry = archive.getinfo("launcher/runner/loop.py")

    assert {name.split("/")[1] for name in names if name.count("/") > 1} == {"runner", "hooks"}
    assert [name for name in names if name.count("/") < 2] == ["__main__.py", "launcher/__init__.py"]
    assert all(name.endswith(".py") for name in names)
    assert (entry.date_time, entry.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o644)


def test_it_runs_with_the_standard_library_alone(tmp_path: Path) -> None:
    (tmp_path / "runner.pyz").write_bytes(runner_zip())

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "runner.pyz"), "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "cancel" in done.stdout


def test_a_zip_that_a_wheel_brought_is_taken_as_it_is(tmp_path: Path) -> None:
    package = shutil.copytree(PACKAGE, tmp_path / "launcher")
    (package / "runner.pyz").write_bytes(b"brought")
    code = "from launcher.nodes.runner_zip import runner_zip; print(runner_zip())"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )

    assert done.stdout == "b'brought'\n"
