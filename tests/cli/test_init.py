"""init: a project that works at once, and nothing of anybody's overwritten."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.kit import Project

WRITTEN = ["jobs/example.yaml", "jobs/example/train.py", "pyproject.toml"]


@pytest.mark.keras
def test_a_new_project_rehearses_runs_and_compares(project: Project) -> None:
    out = project.good("init")
    size = ("--set", "repeats=1", "--set", "params.epochs=2", "--set", "grid.units=[4]")

    done = project.launcher("submit", "jobs/example.yaml", *size)

    assert out.splitlines() == [f"wrote {path}" for path in WRITTEN]
    assert done.code == 0, done
    run = project.status()["runs"][0]
    assert run["epochs"] == 2
    assert "val_loss" in project.good("compare")


def test_init_overwrites_nothing(project: Project) -> None:
    project.good("init", "new folder")
    folder = project.folder / "new folder"
    for path in WRITTEN[:2]:
        (folder / path).write_text("mine")

    out = project.good("init", "new folder")

    assert all(line.startswith("kept ") for line in out.splitlines())
    assert [(folder / path).read_text() for path in WRITTEN[:2]] == ["mine", "mine"]


@pytest.mark.parametrize(
    "before", ["", "[project]\nname = 'mine'", "[project]\nname = 'mine'\n", "a = 1\n\n"]
)
def test_init_adds_its_table_to_the_settings_that_are_there(project: Project, before: str) -> None:
    (project.folder / "pyproject.toml").write_text(before)

    project.good("init")

    after = (project.folder / "pyproject.toml").read_text()
    assert after.startswith(before)
    assert tomllib.loads(after)["tool"]["launcher"] == {"on": "local"}


@pytest.mark.parametrize("before", ["[tool.launcher]\nslots = 3\n", "[tool]\nlauncher = {slots = 3}\n"])
def test_init_leaves_a_table_that_is_there(project: Project, before: str) -> None:
    (project.folder / "pyproject.toml").write_text(before)

    project.good("init")

    assert (project.folder / "pyproject.toml").read_text() == before


def test_init_refuses_what_it_cannot_read_and_writes_nothing(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text("[torn")

    done = project.launcher("init")

    assert done.code == 2
    assert "pyproject.toml is no TOML" in done.err
    assert not (project.folder / "jobs").exists()


def test_init_in_a_file_is_wrong_use(project: Project) -> None:
    (project.folder / "file").touch()

    assert project.launcher("init", "file").code == 2
