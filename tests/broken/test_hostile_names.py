"""Names that a shell, a terminal or a decoder trips over: they arrive as they were; nothing of them runs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.broken.kit import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {
    "quote": "a'; echo b",
    "newline": "two\nlines",
    "dash": "-rf",
    "long": "x" * 200,
    "emoji": "🦄 ünï",
    "bytes": os.fsdecode(b"\xff\xfe raw"),
    "dollar": '$(touch pwned) `touch pwned` \\ " {x}',
    "terminal": "\x1b[31mred\x07",
}
names = pytest.mark.parametrize("name", list(NAMES.values()), ids=list(NAMES))
TELL = "import json, os, sys; json.dump(sys.argv[1:], open('argv.json', 'w')); print(sorted(os.listdir()))"


def test_files_of_any_name_are_taken_run_and_kept(project: Project) -> None:
    code = {name: name.encode("utf-8", "surrogateescape") for name in NAMES.values()}
    code |= {f"folder {name[:100]}/{name}": b"in" for name in NAMES.values()}
    each = 'for name in * ./*/*; do test -f "./$name" && echo more >> "./$name"; done'
    script = each + '; echo x > "$(printf "new\\\\n\\\\377")"'
    batch = project.submit(project.job(["sh", "-c", script, "{params}"], code=code))

    said = project.check_end(batch)

    outputs = batch / "runs" / said["runs"][0]["id"] / "outputs"
    for name, content in code.items():
        assert (outputs / name).read_bytes() == content + b"more\n"
        assert (batch / "code" / "job" / name).read_bytes() == content
    assert list(project.folder.rglob("pwned")) == []


@names
def test_a_job_file_of_any_name_is_run(project: Project, name: str) -> None:
    file = project.job().rename(project.folder / f"{name}.yaml")

    batch = project.submit(file)

    project.check_end(batch)
    assert list(project.place.rglob("pwned")) == []


@pytest.mark.parametrize(
    "name", [NAMES[key] for key in NAMES if key != "bytes"], ids=[key for key in NAMES if key != "bytes"]
)
def test_a_job_folder_of_any_name_is_run(project: Project, name: str) -> None:
    file = project.job()
    (project.folder / "code-job").rename(project.folder / name)
    fields = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**fields, "folder": name}))

    batch = project.submit(file)

    project.check_end(batch)


def test_a_job_in_its_own_folder_whose_name_is_no_text_is_run(project: Project) -> None:
    file = project.job()
    (project.folder / "code-job").rename(project.folder / NAMES["bytes"])
    fields = yaml.safe_load(file.read_text())
    del fields["folder"]
    file = file.rename(project.folder / NAMES["bytes"] / "job.yaml")
    file.write_text(yaml.safe_dump(fields))

    batch = project.submit(file)

    project.check_end(batch)


@names
def test_parameters_of_any_content_reach_the_script_as_they_are(project: Project, name: str) -> None:
    name = "\ufffd \u2028" if name == NAMES["bytes"] else name  # YAML holds text, never raw bytes
    text = project.job("python tell.py", name="text", params={"text": name}, code={"tell.py": TELL})
    argv = project.job(
        [sys.executable, "tell.py", "{params}"], name="argv", params={"text": name}, code={"tell.py": TELL}
    )

    batch = project.submit(text, argv)

    said = project.check_end(batch)
    for run in said["runs"]:
        folder = batch / "runs" / run["id"]
        assert run["params"]["text"] == name
        assert f"--text={name}" in json.loads((folder / "outputs" / "argv.json").read_text())
        assert json.loads((folder / "params.json").read_text())["text"] == name
    assert "\x1b[31m" not in project.call("status").stdout


@pytest.fixture(params=list(NAMES))
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project whose every path holds a hostile name."""
    project = Project(tmp_path / NAMES[request.param], tally=tmp_path / "tally")
    yield project
    assert project.clear_away() == set()
    shutil.rmtree(project.place, ignore_errors=True)


def test_a_project_in_a_folder_of_any_name_runs_to_its_end(elsewhere: Project) -> None:
    batch = elsewhere.submit(elsewhere.job(["sh", "step.sh", "{params}"], runs=2))

    elsewhere.check_end(batch)
