"""The three real Keras jobs give the same on a rented machine as here: states, parameters, every epoch."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from launcher.aws.policy import make_policy
from launcher.targets.stack import hash_stack
from tests.box.box import Box
from tests.box.ec2 import BoxEc2
from tests.policy.touches import judge

if TYPE_CHECKING:
    from tests.fake_ec2 import FakeEc2

TOP = Path(__file__).parents[2]
ACCOUNT = "123456789012"
JOBS = ("pima-history", "sonar-dropout", "multi-output")
TINY = ["repeats=1", "folds=2", "params.epochs=2", "needs.gpus=0"]
_MAIN = "from launcher.cli import main; main()"


@pytest.mark.root
@pytest.mark.keras
@pytest.mark.timeout(1200)
def test_a_night_on_a_machine_is_a_night_at_home(fake_ec2: FakeEc2, tmp_path: Path) -> None:
    with Box(tmp_path) as box:
        BoxEc2(fake_ec2, box, binds=binds(tmp_path))
        there = submit(tmp_path / "there", fake_ec2, "ec2")
    here = submit(tmp_path / "here", fake_ec2, "local")

    assert summary(there) == summary(here)
    assert histories(there) == histories(here)
    assert (fake_ec2.alive(), fake_ec2.volumes()) == ([], {})
    assert judge(make_policy(ACCOUNT, ["us-west-2"]), fake_ec2.calls) == []
    assert len(fake_ec2.calls) <= 40


def submit(project: Path, fake: FakeEc2, on: str) -> Path:
    """Submit the jobs from a project of its own. Returns: the batch folder."""
    project.mkdir()
    (project / "pyproject.toml").write_text('[tool.launcher]\ncidr = "10.77.0.1/32"\ndeadman_s = 2\n')
    (project / ".launcher").mkdir()
    jobs = [write_job(project, name) for name in JOBS]
    sets = [word for value in TINY for word in ("--set", value)]
    argv = [sys.executable, "-c", _MAIN, "submit", *jobs, *sets, "--on", on, "--yes", "--slots", "2"]
    environ = {**os.environ, **fake.environ(), "HOME": str(project), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(argv, cwd=project, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (batch,) = (project / ".launcher" / "batches").iterdir()
    return batch


def write_job(project: Path, name: str) -> str:
    """Write a demo job with the last variant of its grid alone. Returns: the file's name."""
    job = yaml.safe_load((TOP / "jobs" / f"{name}.yaml").read_text())
    job["folder"] = str(TOP / "jobs" / job["folder"])
    job["grid"] = {key: values[-1:] for key, values in job.get("grid", {}).items()}
    (project / f"{name}.yaml").write_text(yaml.safe_dump(job))
    return f"{name}.yaml"


def binds(folder: Path) -> list[str]:
    """Show this interpreter's environment to machines as the one that the image has."""
    environment = folder / "environment"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (environment / "complete").touch()
    own = {str(Path(sys.prefix)), str(Path(sys.base_prefix))}
    return [f"{environment}:/opt/launcher/environments/{hash_stack()[:16]}", *own]


def summary(batch: Path) -> list[tuple[Any, ...]]:
    states = {path.parent.name: json.loads(path.read_text()) for path in batch.glob("runs/*/state.json")}
    runs = {path.parent.name: json.loads(path.read_text()) for path in batch.glob("runs/*/run.json")}
    keys = ("params", "seed", "fold")
    return sorted(
        (name, state["state"], state["attempt"], json.dumps([runs[name].get(key) for key in keys]))
        for name, state in states.items()
    )


def histories(batch: Path) -> dict[str, list[dict[str, str]]]:
    """Return every epoch of every run, as it was logged; how long it took aside."""
    found = {}
    for path in batch.glob("runs/*/history.csv"):
        with path.open() as file:
            found[path.parent.name] = [
                {key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)
            ]
    assert found
    return found
