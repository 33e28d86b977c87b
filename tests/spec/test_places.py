"""The name, the folder and the requirements of a job are found as seen from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import UsageError
from launcher.spec import load_jobs
from tests.spec.kit import RUN, load, refused, write


def test_the_name_is_that_of_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, RUN, file="sonar-dropout.v2.yaml").name == "sonar-dropout.v2"


@pytest.mark.parametrize("file", ["a'; echo b.yaml", "-a.yaml", ".yaml", f"{'a' * 65}.yaml", "otter 🦦.yaml"])
def test_a_file_whose_name_names_no_job_is_told_to_write_one(tmp_path: Path, file: str) -> None:
    what, todo = refused(tmp_path, RUN, file=file)

    assert what.startswith(f"{file}: ")
    assert what.endswith(", the file's name, can't be the name of a job.")
    assert todo == "Write name: my-job into the file."
    assert load(tmp_path, f"{RUN}name: my-job\n", file=file).name == "my-job"


def test_paths_are_absolute_wherever_launcher_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a'; echo b"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "requirements.txt").touch()
    write(folder, f"{RUN}folder: code\nenvironment: requirements.txt\n")
    monkeypatch.chdir(tmp_path)

    (job,) = load_jobs([Path("a'; echo b/job.yaml")])

    assert job.source == folder / "job.yaml"
    assert job.folder == folder / "code"
    assert job.environment == folder / "code" / "requirements.txt"


def test_requirements_may_lie_beside_the_job_file(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    (tmp_path / "requirements.txt").touch()

    job = load(tmp_path, f"{RUN}folder: code\nenvironment: requirements.txt\n")

    assert job.environment == tmp_path / "requirements.txt"


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "train.py").touch()
    (tmp_path / "link").symlink_to("real")

    assert load(tmp_path, f"{RUN}folder: link\n").folder == tmp_path / "real"


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("nowhere", 'folder: "nowhere" can\'t be read: No such file or directory.'),
        ("job.yaml", 'folder: "job.yaml" can\'t be read: Not a directory.'),
        ("job.yaml/x", 'folder: "job.yaml/x" can\'t be read: Not a directory.'),
        ("circle", 'folder: "circle" can\'t be read: Too many levels of symbolic links.'),
        ("x" * 300, f"folder: \"{'x' * 59}... can't be read: File name too long."),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, folder: str, reason: str) -> None:
    (tmp_path / "circle").symlink_to("circle")

    assert refused(tmp_path, f"{RUN}folder: {folder}\n") == (
        f"job.yaml:2: {reason}",
        "Name a folder, relative to the job file.",
    )


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert refused(tmp_path, f"{RUN}folder: empty\n") == (
        'job.yaml:2: folder: "empty" is empty.',
        "Put the script there, or name another folder.",
    )


@pytest.mark.parametrize("name", ["missing.txt", ".", "circle", "x" * 300, "job.yaml/x"])
def test_requirements_that_are_no_file_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")

    what, todo = refused(tmp_path, f"{RUN}environment: {name}\n")

    assert what.startswith("job.yaml:2: environment: there is no file ")
    assert todo == "Name a requirements file in the job's folder."


def test_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, RUN)
    load_jobs([path])
    path.write_text("repeats: x\n")
    with pytest.raises(UsageError):
        load_jobs([path])

    assert list(tmp_path.iterdir()) == [path]
