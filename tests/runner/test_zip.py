"""The zip that nodes run: standard library only, isolated, under the oldest Python that may meet it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launcher.nodes.runner_zip import runner_zip
from tests.runner.kit import Job

if TYPE_CHECKING:
    from tests.runner.kit import Home

OLDEST = "3.10"


@cache
def interpreters() -> tuple[str, ...]:
    """This interpreter, and the oldest that the runner supports where this computer has it."""
    usual = sorted(Path.home().glob(f".pyenv/versions/{OLDEST}.*/bin/python"))
    found = [*map(str, usual), shutil.which(f"python{OLDEST}") or ""]
    return (sys.executable, *filter(_works, found[:1]))


def _works(python: str) -> bool:
    # A shim of pyenv may be there for a Python that is not.
    if not python:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.fixture(params=interpreters())
def isolated(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    zip_file = tmp_path / "it's a zip" / "runner.pyz"
    zip_file.parent.mkdir()
    zip_file.write_bytes(runner_zip())
    return [request.param, "-I", "-S", "-X", "dev", "-W", "error", str(zip_file)]


def test_the_zip_runs_a_batch_from_end_to_end(home: Home, isolated: list[str]) -> None:
    batch = home.freeze(
        Job("echo $PYTHONPATH; echo more >> data.txt; (sleep 600 &)", name="a", runs=2),
        Job("exit 3", name="b", retries=1),
        Job(name="c", after=["b"]),
    )

    batch.run(command=isolated, measured=False)

    assert batch.states() == ["succeeded", "succeeded", "failed", "cancelled"]
    assert batch.outputs(0) == {"data.txt": b"data\nmore\n"}
    assert batch.log(0).decode().split(":")[0].strip() == f"{isolated[-1]}/launcher/hooks"


def test_the_zip_takes_requests(home: Home, isolated: list[str]) -> None:
    batch = home.freeze(Job(runs=2))

    subprocess.run([*isolated, "cancel", str(batch.folder), batch.ids[0]], check=True)
    batch.run(command=isolated, measured=False)

    assert batch.states() == ["cancelled", "succeeded"]


def test_the_hooks_of_the_zip_are_found_by_a_runs_python(home: Home, isolated: list[str]) -> None:
    batch = home.freeze(Job(["python", "-c", "import sitecustomize; print(sitecustomize.__file__)"]))

    batch.run(command=isolated, measured=False)

    assert batch.log().decode().strip() == f"{isolated[-1]}/launcher/hooks/sitecustomize.py"


def test_detached_it_outlives_whoever_started_it(home: Home, isolated: list[str]) -> None:
    batch = home.freeze(Job("sleep 0.5", runs=2))
    argv = [*isolated, "run", str(batch.folder), "--python", sys.executable]
    starter = "import subprocess, sys; subprocess.Popen(['nohup', *sys.argv[1:]], start_new_session=True)"
    with (batch.folder / "runner.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", starter, *argv], check=True, stdout=log, stderr=log)

    batch.wait_for(lambda: batch.states() == ["succeeded"] * 2)
    batch.wait_for((batch.folder / "manifest.json").exists)


def test_without_locks_the_modules_can_still_be_read() -> None:
    """The client imports names and states on Windows too."""
    script = "import sys; sys.modules['fcntl'] = None; from launcher.runner import lock, workspace"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=os.environ)

    assert (done.returncode, done.stderr) == (0, b"")
