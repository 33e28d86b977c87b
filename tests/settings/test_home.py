"""Home is the nearest .launcher, else beside the project's root, else beside the job file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from launcher.errors import UsageError
from launcher.settings.home import choose_home, find_home, make_home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project in a hostile folder, with a job file below it."""
    (tmp_path / "a'; echo b" / "jobs" / "sonar").mkdir(parents=True)
    (tmp_path / "a'; echo b" / "jobs" / "sonar" / "job.yaml").touch()
    return tmp_path / "a'; echo b"


def test_a_home_that_could_not_stand_in_path_is_refused(tmp_path: Path) -> None:
    home = tmp_path / f"a{os.pathsep}b" / ".launcher"

    with pytest.raises(UsageError, match="can't stand in PATH"):
        make_home(home)

    assert not home.parent.exists()


def test_the_nearest_home_is_found(project: Path) -> None:
    (project / ".launcher").mkdir()
    assert find_home(project / "jobs" / "sonar") == project / ".launcher"

    (project / "jobs" / ".launcher").mkdir()
    assert find_home(project / "jobs" / "sonar") == project / "jobs" / ".launcher"
    assert find_home(project / "jobs") == project / "jobs" / ".launcher"
    assert find_home(project) == project / ".launcher"


def test_home_is_found_from_inside_it(project: Path) -> None:
    (project / ".launcher" / "batches").mkdir(parents=True)

    assert find_home(project / ".launcher" / "batches") == project / ".launcher"


def test_without_a_home_none_is_found(project: Path) -> None:
    assert find_home(project) is None


def test_a_file_is_no_home(project: Path) -> None:
    (project / ".launcher").touch()

    assert find_home(project) is None


@pytest.mark.parametrize("root", [".git", "pyproject.toml"])
def test_a_home_is_chosen_beside_the_root_above_the_first_job_file(project: Path, root: str) -> None:
    (project / root).touch()

    home = choose_home(project.parent, first_job_file=project / "jobs" / "sonar" / "job.yaml")

    assert home == project / ".launcher"


def test_the_nearest_root_counts(project: Path) -> None:
    (project / ".git").mkdir()
    (project / "jobs" / "pyproject.toml").touch()

    home = choose_home(project, first_job_file=project / "jobs" / "sonar" / "job.yaml")

    assert home == project / "jobs" / ".launcher"


def test_without_a_root_home_is_beside_the_job_file(project: Path) -> None:
    home = choose_home(project, first_job_file=project / "jobs" / "sonar" / "job.yaml")

    assert home == project / "jobs" / "sonar" / ".launcher"


def test_an_existing_home_above_the_current_folder_wins(project: Path) -> None:
    (project.parent / ".launcher").mkdir()
    (project / ".git").mkdir()

    home = choose_home(project, first_job_file=project / "jobs" / "sonar" / "job.yaml")

    assert home == project.parent / ".launcher"


def test_the_job_file_is_seen_from_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    home = choose_home(project / "jobs", first_job_file=Path("../jobs/sonar/job.yaml"))

    assert home == project / "jobs" / "sonar" / ".launcher"


def test_what_a_path_passes_by_is_no_root(project: Path) -> None:
    (project / "other").mkdir()
    (project / "other" / ".git").mkdir()

    home = choose_home(project, first_job_file=project / "other" / ".." / "jobs" / "job.yaml")

    assert home == project / "jobs" / ".launcher"


def test_a_linked_folder_belongs_to_the_project_that_holds_it(project: Path) -> None:
    (project / ".git").mkdir()
    link = project.parent / "link"
    link.symlink_to(project / "jobs")

    home = choose_home(link, first_job_file=link / "sonar" / "job.yaml")

    assert home == project / ".launcher"


def test_choosing_makes_nothing_even_where_nothing_is(project: Path) -> None:
    before = sorted(project.parent.rglob("*"))

    choose_home(project, first_job_file=project / "nowhere" / "job.yaml")
    find_home(project / "nowhere")

    assert sorted(project.parent.rglob("*")) == before


def test_a_circle_of_links_is_no_bug(project: Path) -> None:
    (project / "circle").symlink_to("circle")

    home = choose_home(project, first_job_file=project / "circle" / "job.yaml")

    assert home.name == ".launcher"


def test_a_home_ignores_itself_in_git(project: Path) -> None:
    subprocess.run(["git", "init", "-q", project], check=True, timeout=60)

    home = make_home(project / ".launcher")
    (home / "batches").mkdir()
    (home / "batches" / "a").touch()

    status = subprocess.run(
        ["git", "-C", project, "status", "--porcelain"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert (home, status) == (project / ".launcher", "?? jobs/\n")


def test_making_a_home_again_changes_nothing(project: Path) -> None:
    home = make_home(project / ".launcher")
    (home / ".gitignore").write_text("mine\n")

    make_home(home)

    assert (home / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize("kind", ["file", "below a file"])
def test_a_home_that_cannot_be_made_is_one_clear_error(project: Path, kind: str) -> None:
    (project / ".launcher").touch()
    home = project / ".launcher" if kind == "file" else project / ".launcher" / "below a file"

    with pytest.raises(UsageError, match="can't be made") as caught:
        make_home(home)

    assert caught.value.todo == "Submit from a folder that you can write to."


@pytest.mark.root
def test_folders_that_we_may_not_look_into_hold_no_home() -> None:
    program = (
        "import os, sys; from pathlib import Path; from launcher.settings.home import *;"
        "os.chdir(sys.argv[1]); os.setuid(65534); start = Path(sys.argv[1]);"
        "print(find_home(start), choose_home(start, first_job_file=Path('a.yaml')))"
    )
    with TemporaryDirectory(dir="/tmp") as folder:  # pytest's own folders are closed
        closed = Path(folder, "closed")
        (closed / "jobs").mkdir(parents=True)
        Path(folder, ".launcher").mkdir()
        closed.chmod(0o600)
        Path(folder).chmod(0o755)

        done = subprocess.run(
            [sys.executable, "-c", program, closed / "jobs"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    assert done.stdout == f"{folder}/.launcher {folder}/.launcher\n"


def test_finding_a_home_needs_no_pydantic() -> None:
    program = "import launcher.settings.home, sys; print('pydantic' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "False\n"
