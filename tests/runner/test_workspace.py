"""A copy that a run has touched in any way never reaches another run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.runner.batch import Batch
from launcher.runner.folders import file_time_ns, marks_below, remove_tree
from launcher.runner.workspace import Workspaces, list_results
from tests.runner.kit import Home, Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.kit import Frozen

CODE: dict[str, str | bytes] = {"train.py": "train\n", "data.bin": b"\x00\x01", "pkg/mod.py": "mod\n"}
LONG_AGO = 1_000_000_000


def append(work: Path, name: str) -> None:
    with (work / name).open("ab") as file:
        file.write(b"more")


def overwrite_and_set_the_time_back(work: Path, name: str) -> None:
    path = work / name
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_another_of_the_same_size(work: Path, name: str) -> None:
    (work / "new").write_bytes(bytes((work / name).stat().st_size))
    (work / "new").replace(work / name)


def link_and_write_through(work: Path, name: str) -> None:
    os.link(work / name, work / "linked")
    append(work, "linked")
    (work / "linked").unlink()


def become_a_link(work: Path, name: str) -> None:
    (work / name).unlink()
    (work / name).symlink_to("/etc/hostname")


CHANGES: dict[str, Callable[[Path, str], object]] = {
    "append": append,
    "overwrite and set the time back": overwrite_and_set_the_time_back,
    "replace": replace_by_another_of_the_same_size,
    "write through a hard link": link_and_write_through,
    "chmod": lambda work, name: (work / name).chmod(0o600),
    "touch -d": lambda work, name: os.utime(work / name, (LONG_AGO, LONG_AGO)),
    "rename": lambda work, name: (work / name).rename(work / f"{name}.old"),
    "hard link": lambda work, name: os.link(work / name, work / "linked"),
    "delete": lambda work, name: (work / name).unlink(),
    "become a link": become_a_link,
    "new file": lambda work, name: (work / f"{name}.new").touch(),
    "new empty folder": lambda work, name: (work / f"{name}.folder").mkdir(),
    "new pipe": lambda work, name: os.mkfifo(work / f"{name}.pipe"),
    "new link": lambda work, name: (work / f"{name}.link").symlink_to("train.py"),
    "hidden beside byte code": lambda work, name: append_in_cache(work, f"{Path(name).name}.idx"),
    "read": lambda work, name: (work / name).read_bytes(),
    "byte code": lambda work, name: append_in_cache(work, f"{Path(name).stem}.cpython-311.pyc"),
}


def append_in_cache(work: Path, name: str) -> None:
    (work / "__pycache__").mkdir(exist_ok=True)
    append(work / "__pycache__", name)


def content(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """All that a run can see of a folder, byte code left out."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if path.name != "__pycache__" and path.suffix != ".pyc"
    }


def wait_a_tick() -> None:
    """Let the clock that stamps files go on."""
    now = file_time_ns()
    while file_time_ns() <= now:
        time.sleep(0.001)


CHANGE = st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from(sorted(CODE)))


@settings(max_examples=120)
@given(deeds=st.lists(st.lists(CHANGE, max_size=3), max_size=6))
def test_every_run_is_given_the_code_as_it_was(deeds: list[list[tuple[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        batch = Home(Path(place)).freeze(Job(runs=len(deeds), code=CODE))
        workspaces = Workspaces(Batch(str(batch.folder)))
        given_first = None
        for run, changes in enumerate(deeds):
            (batch.run_folder(run) / "outputs").mkdir(parents=True)
            work = batch.run_folder(run) / "work"

            workspaces.give(run)

            given_first = given_first or content(work)
            assert content(work) == given_first
            wait_a_tick()
            since_ns = file_time_ns()
            for change, name in changes:
                try:
                    CHANGES[change](work, name)
                except (FileNotFoundError, FileExistsError):  # an earlier deed was in the way
                    continue
            workspaces.take_back(run, since_ns=since_ns)
            assert not work.exists()


def test_an_untouched_copy_serves_the_next_run(tmp_path: Path) -> None:
    batch, workspaces = given_runs(tmp_path, 2)
    workspaces.give(0)
    inode = (batch.run_folder(0) / "work" / "train.py").stat().st_ino
    wait_a_tick()
    workspaces.take_back(0, since_ns=file_time_ns())

    workspaces.give(1)

    assert (batch.run_folder(1) / "work" / "train.py").stat().st_ino == inode


def test_a_copy_made_in_the_tick_of_the_start_serves_nobody_else(tmp_path: Path) -> None:
    batch, workspaces = given_runs(tmp_path, 1)
    workspaces.give(0)
    youngest = max(mark.status_ns for mark in marks_below(str(batch.run_folder(0) / "work")).values())

    workspaces.take_back(0, since_ns=youngest)

    assert not (batch.run_folder(0) / "work").exists()
    assert not (batch.folder / ".spares").exists()


def test_modes_times_links_and_empty_folders_are_given_as_they_were(tmp_path: Path) -> None:
    batch, workspaces = given_runs(tmp_path, 1)
    code = batch.folder / "code" / "job"
    with (batch.folder / "code" / "job.jsonl").open("a") as listing:
        listing.write(
            '{"path": "empty", "kind": "dir", "mode": 493, "size": 0, "sha256": null, "target": null}\n'
        )
        listing.write(
            '{"path": "to", "kind": "link", "mode": 511, "size": 0, "sha256": null, "target": "a b"}\n'
        )
        listing.write(
            '{"path": "run.sh", "kind": "file", "mode": 365, "size": 0, "sha256": "", "target": null}\n'
        )
    code.chmod(0o755)
    (code / "run.sh").write_text("#!/bin/sh\n")
    os.utime(code / "run.sh", (LONG_AGO, LONG_AGO))

    workspaces.give(0)

    work = batch.run_folder(0) / "work"
    assert (work / "empty").stat().st_mode & 0o777 == 0o755
    assert str((work / "to").readlink()) == "a b"
    assert (work / "run.sh").stat().st_mode & 0o777 == 0o555
    assert (work / "run.sh").stat().st_mtime == LONG_AGO


def test_a_copy_is_a_clone_where_the_file_system_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda _writer, request, _reader: asked.append(request))
    batch, workspaces = given_runs(tmp_path, 1)

    workspaces.give(0)

    assert set(asked) == {0x40049409}
    assert (batch.run_folder(0) / "work" / "train.py").stat().st_size == 0  # nothing else copied


def test_what_will_not_start_leaves_no_copy(tmp_path: Path) -> None:
    batch, workspaces = given_runs(tmp_path, 2)
    workspaces.give(0)
    workspaces.give(1)

    workspaces.drop(0)
    workspaces.drop_all()
    workspaces.drop(0)

    assert not list(batch.folder.glob("runs/*/work"))


def given_runs(place: Path, runs: int) -> tuple[Frozen, Workspaces]:
    batch = Home(place).freeze(Job(runs=runs, code=CODE))
    for run in range(runs):
        (batch.run_folder(run) / "outputs").mkdir(parents=True)
    return batch, Workspaces(Batch(str(batch.folder)))


def test_removes_what_stands_in_place_of_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").touch()

    for name in ("link", "file", "nowhere"):
        remove_tree(str(tmp_path / name))

    assert {path.name for path in tmp_path.iterdir()} == {"target"}
    assert (target / "in").is_dir()


def test_results_are_plain_files_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "outputs" / "deep").mkdir(parents=True)
    (tmp_path / "outputs" / "deep" / "model").write_bytes(b"123")
    (tmp_path / "outputs" / "link").symlink_to("deep/model")
    (tmp_path / "log.txt").write_bytes(b"1")
    (tmp_path / "history.csv").mkdir()

    assert list_results(str(tmp_path)) == {"log.txt": 1, "outputs/deep/model": 3}


def test_a_result_that_cannot_be_read_is_made_readable(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "secret").touch(mode=0o040)

    found = list_results(str(tmp_path))

    assert found == {"outputs/secret": 0}
    assert (tmp_path / "outputs" / "secret").stat().st_mode & 0o777 == 0o440


def test_a_folder_nested_deeper_than_python_can_follow_is_removed(tmp_path: Path) -> None:
    nest = "import os\nfor _ in range(1100):\n os.mkdir('d')\n os.chdir('d')\n open('file', 'w').close()"
    (tmp_path / "deep").mkdir()
    subprocess.run([sys.executable, "-S", "-c", nest], check=True, cwd=tmp_path / "deep")

    remove_tree(str(tmp_path / "deep"))

    assert not (tmp_path / "deep").exists()


FORBIDS = """
mkdir -p closed/in ../outputs/shut
for file in closed/in/file secret ../outputs/shut/file ../outputs/file; do printf kept > "$file"; done
chmod 000 secret ../outputs/shut ../outputs/file; chmod 500 closed/in; chmod 000 closed
"""
AS_NOBODY = """
import os, sys
sys.path.insert(0, os.getcwd())
from launcher.runner.__main__ import main
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may become somebody else")
def test_what_a_run_forbids_to_itself_is_kept_and_cleared_away_all_the_same() -> None:
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        batch = home.freeze(
            Job(FORBIDS, runs=2), Job("mkdir -p a/b; chmod 000 a/b a ../outputs; exit 1", name="b")
        )
        (batch.folder / "runner.log").touch()
        subprocess.run(["chown", "-R", "65534:65534", place], check=True)

        batch.run(command=[sys.executable, "-S", "-c", AS_NOBODY], measured=False)

        assert batch.states() == ["succeeded", "succeeded", "failed"]
        kept = dict.fromkeys(("closed/in/file", "file", "secret", "shut/file"), b"kept")
        assert batch.outputs(1) == kept
        assert not list(batch.folder.glob("runs/*/work"))
        assert {path for path in batch.manifest() if path.startswith(f"runs/{batch.ids[1]}/outputs/")} == {
            f"runs/{batch.ids[1]}/outputs/{name}" for name in kept
        }
        assert home.clear_away() == set()


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may give files away")
def test_a_result_that_belongs_to_somebody_else_fails_a_success() -> None:
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        batch = home.freeze(Job("sleep 600"), Job(name="next"))
        (batch.folder / "runner.log").touch()
        subprocess.run(["chown", "-R", "65534:65534", place], check=True)
        batch.plan["runs"][0]["argv"] = ["/bin/sh", "-c", "while test ! -e ../go; do sleep 0.02; done"]
        batch.write_plan()
        runner = batch.start(command=[sys.executable, "-S", "-c", AS_NOBODY], measured=False)
        outputs = batch.wait_for_file("outputs")
        (outputs / "roots").write_text("secret")
        (outputs / "roots").chmod(0)
        (batch.run_folder(0) / "go").touch()

        assert (runner.wait(60), batch.complaints()) == (0, "")
        assert batch.states() == ["failed", "succeeded"]
        assert batch.reason().startswith("its results could not be made durable: Permission denied: ")
        assert home.clear_away() == set()
