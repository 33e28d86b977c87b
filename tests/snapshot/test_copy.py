"""A copy is the folder as it was scanned, and nothing done later reaches it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from launcher.errors import LauncherError, UsageError
from launcher.snapshot import Tree, copy_tree, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "a'; echo b"
    (folder / "data" / "empty").mkdir(parents=True)
    (folder / "train.py").write_bytes(b"print(1)\n")
    (folder / "run.sh").write_bytes(b"")
    (folder / "run.sh").chmod(0o751)
    (folder / "data" / "x.csv").write_bytes(b"1,2\n" * 700_000)
    (folder / "data" / "link").symlink_to("../train.py")
    (folder / "data" / os.fsdecode(b"\xff\n-")).write_bytes(b"odd")
    os.utime(folder / "train.py", ns=(5, 1_600_000_000_123_456_789))
    os.utime(folder / "data" / "empty", ns=(5, 1_500_000_000_000_000_001))
    os.utime(folder / "data", ns=(5, 1_400_000_000_000_000_001))
    return folder


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): stat.filemode(path.lstat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


def test_the_copy_is_the_folder_that_was_scanned(job: Path, tmp_path: Path) -> None:
    tree = scan(job)
    copy = tmp_path / "deep" / "code"

    copy_tree(tree, job, copy)

    assert scan(copy).sha256 == tree.sha256
    assert (copy / "data" / "link").readlink() == (job / "data" / "link").readlink()
    for name in ("train.py", "data", "data/empty", "data/x.csv", "."):
        assert (copy / name).stat().st_mtime_ns == (job / name).stat().st_mtime_ns


def test_files_and_folders_of_the_copy_are_read_only(job: Path, tmp_path: Path) -> None:
    (job / "data").chmod(0o770)

    copy_tree(scan(job), job, tmp_path / "code")

    found = modes(tmp_path / "code")
    assert found["run.sh"] == "-r-xr-x--x"
    assert found["train.py"] == "-r--r--r--"
    assert found["data"] == "dr-xr-x---"
    assert found["."] == found["data/empty"] == "dr-xr-xr-x"


def test_no_file_of_the_copy_is_a_hard_link(job: Path, tmp_path: Path) -> None:
    os.link(job / "train.py", job / "twin.py")

    copy_tree(scan(job), job, tmp_path / "code")

    assert all(path.lstat().st_nlink == 1 for path in (tmp_path / "code").rglob("*") if path.is_file())


def edit_in_place(job: Path) -> None:
    with (job / "data" / "x.csv").open("r+b") as file:
        file.write(b"9,9\n")


EDITS: dict[str, Callable[[Path], object]] = {
    "in place": edit_in_place,
    "appended": lambda job: (job / "train.py").open("ab").write(b"x"),
    "replaced": lambda job: (job / "new").write_text("x") and (job / "new").replace(job / "train.py"),
    "cut": lambda job: os.truncate(job / "data" / "x.csv", 0),
    "all gone": shutil.rmtree,
    "a folder went away": lambda job: (job / "data").rename(job / "old"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_editing_the_folder_changes_nothing_in_the_copy(
    job: Path, tmp_path: Path, edit: Callable[[Path], object]
) -> None:
    tree, copy = scan(job), tmp_path / "code"
    copy_tree(tree, job, copy)

    edit(job)

    assert scan(copy).sha256 == tree.sha256


def become_a_pipe(job: Path) -> None:
    (job / "data" / "x.csv").unlink()
    os.mkfifo(job / "data" / "x.csv")


CHANGES: dict[str, Callable[[Path], object]] = {
    "train.py": lambda job: (job / "train.py").write_bytes(b"print(2)\n"),
    "run.sh": lambda job: (job / "run.sh").unlink(),
    "data/x.csv": become_a_pipe,
    "data/empty": lambda job: (job / "data" / "empty").rmdir(),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.items(), ids=CHANGES)
def test_a_change_between_scan_and_copy_is_refused_by_name(
    job: Path, tmp_path: Path, name: str, change: Callable[[Path], object]
) -> None:
    tree = scan(job)
    change(job)

    with pytest.raises(UsageError) as caught:
        copy_tree(tree, job, tmp_path / "code")

    assert caught.value.what == f"{job / name} changed while it was copied."


def test_a_file_that_became_a_link_to_the_same_bytes_is_refused(job: Path, tmp_path: Path) -> None:
    tree = scan(job)
    (job / "train.py").rename(tmp_path / "elsewhere")
    (job / "train.py").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match=r"train\.py changed"):
        copy_tree(tree, job, tmp_path / "code")


def test_nothing_that_exists_is_written_over(job: Path, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine").touch()

    with pytest.raises(LauncherError, match=r"could not be copied to .*: File exists"):
        copy_tree(scan(job), job, tmp_path / "code")

    assert [path.name for path in (tmp_path / "code").iterdir()] == ["mine"]


@pytest.mark.root
def test_a_full_disk_is_said(job: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    try:
        with pytest.raises(LauncherError, match="No space left on device") as caught:
            copy_tree(scan(job), job, disk / "code")
    finally:
        subprocess.run(["umount", disk], check=True)

    assert caught.value.exit_code == 2


@pytest.fixture(params=["xfs", "btrfs"])
def sharing_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Path]:
    """A real file system that can share blocks, in a file."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(512 * 1024 * 1024)
    make = {"xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"], "btrfs": ["mkfs.btrfs", "-q"]}[request.param]
    subprocess.run([*make, image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def used_bytes(disk: Path) -> int:
    subprocess.run(["sync", "-f", disk], check=True)
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux", reason="reflinks by FICLONE are Linux's")
def test_blocks_are_shared_where_the_file_system_can(sharing_disk: Path) -> None:
    job = sharing_disk / "job"
    job.mkdir()
    (job / "data.bin").write_bytes(os.urandom(64 * 1024 * 1024))
    (job / "empty").touch()
    tree, before = scan(job), used_bytes(sharing_disk)

    copy_tree(tree, job, sharing_disk / "code")

    assert used_bytes(sharing_disk) - before < 2 * 1024 * 1024
    assert (sharing_disk / "code" / "data.bin").stat().st_nlink == 1
    with (job / "data.bin").open("r+b") as file:
        file.write(b"edited")
    assert scan(sharing_disk / "code").sha256 == tree.sha256


@pytest.mark.root
def test_a_shared_file_that_changed_since_the_scan_is_refused(sharing_disk: Path) -> None:
    job = sharing_disk / "job"
    job.mkdir()
    (job / "data.bin").write_bytes(b"before")
    tree = scan(job)
    (job / "data.bin").write_bytes(b"after!")

    with pytest.raises(UsageError, match=r"data\.bin changed"):
        copy_tree(tree, job, sharing_disk / "code")


@pytest.mark.root
def test_bytes_are_copied_from_one_file_system_to_another(job: Path, sharing_disk: Path) -> None:
    tree: Tree = scan(job)

    copy_tree(tree, job, sharing_disk / "code")

    assert scan(sharing_disk / "code").sha256 == tree.sha256


def test_two_thousand_files_take_about_a_second(tmp_path: Path) -> None:
    job = tmp_path / "job"
    for folder in range(20):
        (job / f"{folder}").mkdir(parents=True)
        for number in range(100):
            (job / f"{folder}" / f"{number}").write_bytes(os.urandom(30_000))
    began = time.process_time()

    copy_tree(scan(job), job, tmp_path / "code")

    assert time.process_time() - began < 2
