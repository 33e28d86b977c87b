"""What a scan takes, what it leaves out, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from launcher.errors import UsageError
from launcher.snapshot import Entry, LeftOut, Tree, scan, write_listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = [
    "a'; echo b",
    "line\nbreak",
    "-rf",
    "n" * 200,
    "\N{OTTER}",
    " ",
    "tab\t",
    '"',
    "back\\slash",
    "%s{params}",
    os.fsdecode(b"\xff\xfe"),
]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "a'; echo b"
    folder.mkdir()
    (folder / "train.py").write_bytes(b"print(1)\n")
    return folder


def by_path(tree: Tree) -> dict[str, Entry]:
    return {entry.path: entry for entry in tree.entries}


def test_takes_files_folders_and_links_sorted_by_the_bytes_of_their_paths(job: Path) -> None:
    (job / "b" / "empty").mkdir(parents=True)
    (job / "b.txt").write_bytes(b"xyz")
    (job / "b.txt").chmod(0o751)
    (job / "link").symlink_to("b/empty")
    (job / "b" / "empty").chmod(0o750)

    tree = scan(job)

    digest = hashlib.sha256(b"xyz").hexdigest()
    assert [entry.path for entry in tree.entries] == ["b", "b.txt", "b/empty", "link", "train.py"]
    assert by_path(tree)["b.txt"] == Entry("b.txt", "file", 0o751, 3, digest)
    assert by_path(tree)["b/empty"] == Entry("b/empty", "dir", 0o750)
    assert by_path(tree)["link"] == Entry("link", "link", 0o777, target="b/empty")
    assert (tree.files, tree.bytes) == (2, 12)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_survive_scan_and_listing(job: Path, tmp_path: Path, name: str) -> None:
    (job / name).mkdir()
    (job / name / name).write_text("x")
    (job / "link").symlink_to(f"{name}/{name}")

    tree = scan(job)
    write_listing(tree, tmp_path / "job.jsonl")

    listed = [Entry(**json.loads(line)) for line in (tmp_path / "job.jsonl").read_text().splitlines()]
    assert tuple(listed) == tree.entries
    assert by_path(tree)[f"{name}/{name}"].size == 1
    assert by_path(tree)["link"].target == f"{name}/{name}"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([job.name, "job.jsonl"])


@pytest.mark.parametrize(
    "name", [".git", ".launcher", "__pycache__", ".venv", ".ipynb_checkpoints", ".DS_Store", ".mypy_cache"]
)
def test_some_names_are_never_taken_whatever_a_rule_says(job: Path, name: str) -> None:
    (job / "sub").mkdir()
    (job / ".launcherignore").write_text(f"!{name}\n")
    for place in (job / name, job / "sub" / name):
        place.mkdir()
        (place / "x").touch()

    tree = scan(job)

    assert tree.left_out == (LeftOut(name, "never taken"), LeftOut(f"sub/{name}", "never taken"))
    assert list(by_path(tree)) == [".launcherignore", "sub", "train.py"]


def test_a_virtual_environment_of_any_name_is_left_out(job: Path) -> None:
    (job / "my env" / "lib").mkdir(parents=True)
    (job / "my env" / "pyvenv.cfg").touch()

    assert scan(job).left_out == (LeftOut("my env", "a virtual environment"),)


def test_what_is_no_file_is_left_out_and_said(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(job / "pipe")
    monkeypatch.chdir(job)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")

        tree = scan(job)

    assert tree.left_out == (LeftOut("pipe", "a named pipe"), LeftOut("socket", "a socket"))


@pytest.mark.root
def test_devices_are_left_out_and_said(job: Path) -> None:
    os.mknod(job / "null", 0o20666, os.makedev(1, 3))
    os.mknod(job / "loop", 0o60666, os.makedev(7, 99))

    tree = scan(job)

    assert tree.left_out == (LeftOut("loop", "a device"), LeftOut("null", "a device"))


def test_the_hash_is_of_names_kinds_contents_and_the_executable_bit(job: Path) -> None:
    file, link = job / "train.py", job / "link"

    def relink(target: str) -> None:
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: file.write_text("print(2)\n"),
        lambda: file.chmod(0o755),
        lambda: file.rename(job / "other.py"),
        (job / "empty").mkdir,
        (job / "empty").rmdir,
        (job / "empty").touch,
        lambda: relink("other.py"),
        lambda: relink("empty"),
    ]

    hashes = []
    for change in changes:
        change()
        hashes.append(scan(job).sha256)

    assert hashes[3] == hashes[5]
    assert len(set(hashes)) == len(hashes) - 1


def test_the_hash_is_not_of_times_or_of_what_a_umask_decides(job: Path, tmp_path: Path) -> None:
    before = scan(job).sha256

    os.utime(job / "train.py", (1, 1))
    (job / "train.py").chmod(0o600)
    moved = job.rename(tmp_path / "elsewhere")

    assert scan(moved).sha256 == before


LEAVING = {
    "up": [("link", "..")],
    "up to a neighbour": [("link", "../other/x")],
    "out and back in": [("link", "../a'; echo b/train.py")],
    "absolute": [("link", "/etc/passwd")],
    "the root": [("link", "/")],
    "absolute to nowhere": [("link", "/no/such/file")],
    "nowhere above": [("link", "../no-such-file")],
    "a chain": [("one", "two"), ("two", "sub/three"), ("sub/three", "../../other")],
    "a chain through a folder": [("way", "sub"), ("link", "way/../../other")],
    "a left out part of a chain": [("link", ".venv/out"), (".venv/out", "/usr/bin/env")],
    "absolute, and up again": [("link", "{job}/sub/../..")],
}


@pytest.mark.parametrize("links", LEAVING.values(), ids=LEAVING)
def test_a_link_that_leaves_the_folder_is_refused_by_name(job: Path, links: list[tuple[str, str]]) -> None:
    (job / "sub").mkdir()
    (job / ".venv").mkdir()
    for name, target in links:
        (job / name).symlink_to(target.format(job=job))

    with pytest.raises(UsageError, match="is a link that leaves") as caught:
        scan(job)

    assert any(f"{job / name} is" in caught.value.what for name, _ in links)
    assert ".launcherignore" in caught.value.todo


STAYING = {
    "to itself": ("link", "link", "link"),
    "to its own folder": ("sub/link", ".", "."),
    "to the folder above it": ("sub/link", "..", ".."),
    "dangling": ("link", "no-such-file", "no-such-file"),
    "up and down again": ("sub/link", "../sub/../train.py", "../sub/../train.py"),
    "not tidy": ("link", ".//train.py", ".//train.py"),
    "absolute": ("link", "{job}/train.py", "train.py"),
    "absolute, from below": ("sub/link", "{job}/train.py", "../train.py"),
    "absolute, the folder": ("link", "{job}", "."),
    "absolute, the folder, from below": ("sub/link", "{job}/", ".."),
    "absolute, another way in": ("link", "{door}/train.py", "train.py"),
    "absolute, to a link": ("link", "{job}/sub/inner", "sub/inner"),
    "through an absolute link": ("link", "far/train.py", "far/train.py"),
}


@pytest.mark.parametrize(("name", "target", "expected"), STAYING.values(), ids=STAYING)
def test_a_link_that_stays_is_kept_and_an_absolute_one_made_relative(
    job: Path, tmp_path: Path, name: str, target: str, expected: str
) -> None:
    (tmp_path / "door").symlink_to(job)
    (job / "sub").mkdir()
    (job / "sub" / "inner").symlink_to("../train.py")
    (job / "far").symlink_to(job)
    (job / name).symlink_to(target.format(job=job, door=tmp_path / "door"))

    tree = scan(job)

    assert by_path(tree)[name].target == expected


def test_links_in_a_ring_end_the_scan_all_the_same(job: Path) -> None:
    (job / "deep" / "deeper").mkdir(parents=True)
    (job / "deep" / "deeper" / "back").symlink_to("../..")
    (job / "one").symlink_to("two")
    (job / "two").symlink_to("one/x")

    assert len(scan(job).entries) == 6


def test_a_left_out_link_may_lead_anywhere(job: Path) -> None:
    (job / "data").symlink_to("/etc")
    (job / ".launcherignore").write_text("data\n")

    assert scan(job).left_out == (LeftOut("data", ".launcherignore: data"),)


def test_a_folder_named_by_a_link_is_scanned(job: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(job)

    assert scan(tmp_path / "link") == scan(job)


def test_a_deep_tree_needs_no_deep_stack(job: Path) -> None:
    folder = os.open(job, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    found = scan(job)

    assert len(found.entries) == 1201
    subprocess.run(["rm", "-rf", str(job)], check=True)  # deeper than pytest's own clean-up can follow


@pytest.mark.parametrize(
    ("names", "reason"),
    [([], "It is empty."), (["x.log", ".gitignore"], "2 left out, the first is .gitignore (.gitignore: *).")],
)
def test_a_folder_with_nothing_to_take_is_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    for name in names:
        (tmp_path / name).write_text("*\n")

    with pytest.raises(UsageError) as caught:
        scan(tmp_path)

    assert caught.value.what == f"{tmp_path} holds nothing that a run could use. {reason}"


def test_a_file_that_keeps_changing_is_refused_by_name(job: Path) -> None:
    file, ended = job / "growing.log", threading.Event()
    file.write_bytes(bytes(20_000_000))

    def grow() -> None:
        with file.open("ab") as log:
            while not ended.wait(0.0005):
                log.write(b"x")
                log.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    time.sleep(0.01)
    try:
        with pytest.raises(UsageError, match=r"growing\.log keeps changing while it is read"):
            scan(job)
    finally:
        ended.set()
        writer.join()


def test_a_file_that_changes_once_is_read_again(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, edits = os.fstat, iter([b"print(22)\n"])

    def look_and_edit(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        for edit in edits:
            (job / "train.py").write_bytes(edit)
        return status

    monkeypatch.setattr(os, "fstat", look_and_edit)

    tree = scan(job)

    assert by_path(tree)["train.py"].sha256 == hashlib.sha256(b"print(22)\n").hexdigest()


@pytest.mark.root
@pytest.mark.parametrize("name", ["secret.py", "folder", ".gitignore"])
def test_what_cannot_be_read_is_refused_by_name(job: Path, name: str) -> None:
    (job / "folder").mkdir()
    (job / "secret.py").touch()
    (job / ".gitignore").touch()
    job.chmod(0o755)
    (job / name).chmod(0)
    program = "import sys, pathlib, launcher.snapshot as s; s.scan(pathlib.Path(sys.argv[1]))"
    command = ["unshare", "--map-user=65534", sys.executable, "-c", program, str(job)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert f"UsageError: {job / name} cannot be read: Permission denied." in done.stderr


def test_the_package_imports_where_there_is_no_fcntl() -> None:
    program = "import sys; sys.platform = 'win32'; sys.modules['fcntl'] = None; import launcher.snapshot"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr == ""
