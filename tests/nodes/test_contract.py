"""What every node must do. A further kind of node joins by one more entry in `NODES`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from launcher.errors import NodeError
from launcher.nodes.local import LocalNode
from launcher.nodes.ssh import SshNode
from tests.sshd import running_sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from launcher.nodes.node import Node

HOSTILE = "a'; echo b \U0001f9a6\n$(c)"
WORDS = ["", " ", "a b", "'", '"', "$HOME", "`id`", "a\nb", "-n", "*", "\\", "\U0001f9a6", "é" * 200]


@contextlib.contextmanager
def local(place: Path) -> Iterator[Node]:
    yield LocalNode(place / HOSTILE / ".launcher")


@contextlib.contextmanager
def ssh(place: Path) -> Iterator[Node]:
    with running_sshd(place / "sshd") as server, server.connect() as connection:
        yield SshNode(
            connection,
            home=PurePosixPath(place / HOSTILE / ".launcher"),
            python=os.path.realpath(sys.executable),
        )


NODES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Node]]] = {"local": local, "ssh": ssh}


@pytest.fixture(params=NODES)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    with NODES[request.param](tmp_path) as node:
        node.run(["mkdir", "-p", str(node.home)], timeout_s=10)
        yield node


# Run


def test_a_program_runs_to_its_end_with_its_streams_apart(node: Node) -> None:
    done = node.run(["sh", "-c", "printf 'out\\377'; printf err >&2; exit 7"], timeout_s=10)

    assert (done.exit_code, done.stdout, done.stderr) == (7, b"out\xff", b"err")


def test_words_reach_a_program_as_they_are(node: Node) -> None:
    done = node.run([node.python, "-c", "import sys; print(sys.argv[1:])", *WORDS], timeout_s=10)

    assert done.stdout.decode() == f"{WORDS}\n"


def test_a_program_is_given_nothing_to_read(node: Node) -> None:
    assert node.run(["cat"], timeout_s=10).stdout == b""


def test_a_signal_is_no_success(node: Node) -> None:
    assert node.run(["sh", "-c", "kill -9 $$"], timeout_s=10).exit_code != 0


def test_a_program_that_is_not_there_is_an_error_that_names_it(node: Node) -> None:
    with pytest.raises(NodeError, match="no-such-program"):
        node.run(["no-such-program"], timeout_s=10)


def test_a_program_that_takes_too_long_is_an_error_and_ended(node: Node, tmp_path: Path) -> None:
    began = time.monotonic()

    with pytest.raises(NodeError, match=r"within 0\.3 s"):
        node.run(["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; exec sleep 60"], timeout_s=0.3)

    assert time.monotonic() - began < 10
    assert not is_alive(int((tmp_path / "pid").read_text()))


# Start


def test_a_started_program_writes_both_streams_behind_what_is_in_the_log(node: Node) -> None:
    log = node.home / "log"
    node.run(["sh", "-c", 'echo before > "$1"', "sh", str(log)], timeout_s=10)

    node.start(["sh", "-c", "echo out; echo err >&2; read word || echo end"], log=log)

    assert read_until(node, str(log), "end") == "before\nout\nerr\nend\n"


def test_a_started_program_is_in_a_session_of_its_own_and_deaf_to_hanging_up(node: Node) -> None:
    log = node.home / "log"
    code = (
        "import os, signal; print(os.getsid(0) == os.getpid(), signal.getsignal(signal.SIGHUP).name, 'end')"
    )

    node.start([node.python, "-c", code], log=log)

    assert "True SIG_IGN end" in read_until(node, str(log), "end")


def test_a_started_program_outlives_who_started_it(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from launcher.nodes.local import LocalNode; "
        "LocalNode(Path('.')).start(['sh', '-c', 'sleep 0.5; echo end'], log=Path(sys.argv[1]))"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], start_new_session=True)
    assert starter.wait(30) == 0
    with contextlib.suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)

    assert "end" in read_until(LocalNode(tmp_path), str(tmp_path / "log"), "end")


def test_a_program_that_cannot_be_started_says_so_in_the_log(node: Node) -> None:
    log = node.home / "log"

    node.start(["no-such-program"], log=log)

    assert "no-such-program" in read_until(node, str(log), "no-such-program")


def test_a_log_that_cannot_be_written_is_an_error(node: Node) -> None:
    with pytest.raises(NodeError, match="could not be started"):
        node.start(["true"], log=node.home / "missing" / "log")


# Send and fetch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that a batch may hold."""
    folder = tmp_path / "here" / HOSTILE
    for name, content in {
        "a": b"a\0\xff",
        "deep/er/b": b"b",
        f"{HOSTILE}/-n": b"",
        "é \U0001f9a6": b"e",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "empty").mkdir()
    (folder / "program").write_text("#!/bin/sh\n")
    (folder / "program").chmod(0o755)
    (folder / "link").symlink_to("deep/er/b")
    (folder / "folder link").symlink_to("deep")
    (folder / "dangling").symlink_to("nowhere")
    return folder


def there_and_back(node: Node, folder: Path, place: Path) -> Path:
    node.send(folder, to=node.home / "sent" / HOSTILE)
    node.fetch(node.home / "sent" / HOSTILE, to=place / "back")
    return place / "back"


def describe(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return all that a folder holds, but for what remembers at home what came."""
    found = {path.relative_to(folder).as_posix(): _describe(path) for path in sorted(folder.rglob("*"))}
    found.pop(".fetched", None)
    return found


def _describe(path: Path) -> tuple[str, bytes]:
    if path.is_symlink():
        return "link", os.fsencode(path.readlink())
    if path.is_dir():
        return "folder", b""
    return oct(path.stat().st_mode & 0o777), path.read_bytes()


def test_a_folder_arrives_and_returns_as_it_is(node: Node, folder: Path, tmp_path: Path) -> None:
    back = there_and_back(node, folder, tmp_path)

    assert describe(back) == describe(folder)


def test_what_is_new_or_changed_is_brought_and_nothing_is_removed(
    node: Node, folder: Path, tmp_path: Path
) -> None:
    back = there_and_back(node, folder, tmp_path)
    (back / "theirs").write_text("kept")
    (folder / "a").write_bytes(b"A\0\xff")
    (folder / "new").write_text("new")
    (folder / "program").chmod(0o644)
    (folder / "link").unlink()
    (folder / "link").symlink_to("a")

    there_and_back(node, folder, tmp_path)

    assert (back / "theirs").read_text() == "kept"
    (back / "theirs").unlink()
    assert describe(back) == describe(folder)


def test_what_is_there_and_equal_stays(node: Node, folder: Path, tmp_path: Path) -> None:
    back = there_and_back(node, folder, tmp_path)
    before = {path: path.lstat().st_ino for path in back.rglob("*")}
    os.utime(folder / "a", (1, 1))

    there_and_back(node, folder, tmp_path)

    assert {path: path.lstat().st_ino for path in back.rglob("*")} == before


def test_who_reads_the_old_file_keeps_it_whole(node: Node, folder: Path, tmp_path: Path) -> None:
    back = there_and_back(node, folder, tmp_path)
    (folder / "a").write_bytes(b"longer than before")

    with (back / "a").open("rb") as reader:
        there_and_back(node, folder, tmp_path)

        assert reader.read() == b"a\0\xff"


def test_a_folder_that_is_in_its_place_is_left_alone(node: Node, folder: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}

    if isinstance(node, LocalNode):
        node.send(folder, to=folder)
        node.fetch(folder, to=folder)

    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_until(node: Node, path: str, wanted: str) -> str:
    until = time.monotonic() + 30
    while wanted not in (text := node.run(["cat", path], timeout_s=10).stdout.decode()):
        assert time.monotonic() < until, text
        time.sleep(0.02)
    return text
