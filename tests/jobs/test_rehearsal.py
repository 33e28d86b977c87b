"""`launcher rehearse` passes for every job: on real data where it can be had, on small files elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jobs.conftest import JOBS
from tests.jobs.small_data import write_imdb, write_mammography, write_reuters

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_S = 1800  # a minute where nothing else runs
pytestmark = [pytest.mark.keras, pytest.mark.timeout(2 * LONGEST_S)]

LAUNCHER = str(Path(sys.executable).with_name("launcher"))
ON_FILES = {
    "imdb-reviews": write_imdb,
    "reuters-topics": write_reuters,
}  # jobs that read a file named to them


def test_every_job_but_those_of_words_passes(fashion_home: Path, tmp_path: Path) -> None:
    write_mammography(tmp_path / "sklearn")
    env = {"KERAS_HOME": str(fashion_home), "SCIKIT_LEARN_DATA": str(tmp_path / "sklearn")}
    files = sorted(str(path) for path in JOBS.glob("*.yaml") if path.stem not in ON_FILES)

    printed = _rehearse(*files, into=tmp_path, env=env)

    assert f"{len(files)} of {len(files)} jobs passed" in printed
    assert "no Keras fit seen" not in printed


@pytest.mark.parametrize("name", ON_FILES)
def test_a_job_of_words_passes_on_a_small_file(name: str, tmp_path: Path) -> None:
    data = ON_FILES[name](tmp_path / "small.npz")
    small = ("--set", f"params.data={data}", "--set", "params.held_out=20", "--set", "params.words=150")

    printed = _rehearse(str(JOBS / f"{name}.yaml"), *small, into=tmp_path, env={})

    assert "1 of 1 job" in printed


def _rehearse(*arguments: str, into: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [LAUNCHER, "rehearse", *arguments],
        cwd=into,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
