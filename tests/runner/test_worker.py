"""What a worker does where something is wrong with it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from launcher.runner import environment
from launcher.runner import worker as worker_module
from launcher.runner.processes import find_process
from launcher.runner.worker import Launch, Worker, WorkerError
from tests.runner.kit import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stream() -> Iterator[int]:
    read, write = os.pipe()
    yield write
    os.close(read)
    os.close(write)


def start(path: Path, *imports: Any) -> Worker:
    variables = {**os.environ, "PYTHONPATH": f"{environment._HOOKS}{os.pathsep}{path}"}
    worker = Worker("python", environment=variables, imports=imports, variables=[])
    while not (worker.is_ready or worker.obstacle):
        worker.read()
    return worker


def fork(worker: Worker, stream: int, **own: str) -> int:
    return worker.fork(Launch(["python", "x.py"], "/", {"LAUNCHER_OUTPUT": "/x", **own}), stream)


def reap(worker: Worker) -> None:
    worker.end()
    os.waitpid(worker.pid, 0)
    worker.socket.close()


def test_a_worker_that_does_not_answer_gives_no_process(
    tmp_path: Path, stream: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs.py").write_text("import os, time; os.register_at_fork(before=lambda: time.sleep(600))")
    worker = start(tmp_path, ["hangs", []])
    monkeypatch.setattr(worker_module, "_ANSWER_S", 0.5)

    with pytest.raises(WorkerError, match="it does not answer"):
        fork(worker, stream)

    reap(worker)


def test_a_worker_that_is_gone_gives_no_process(tmp_path: Path, stream: int) -> None:
    worker = start(tmp_path)
    os.kill(worker.pid, 9)
    os.waitpid(worker.pid, 0)
    worker.is_gone = True

    with pytest.raises(WorkerError, match="it takes no requests"):
        fork(worker, stream)

    worker.end()  # which signals nobody
    worker.socket.close()


def test_a_worker_that_was_fit_and_is_no_more_gives_no_process(tmp_path: Path, stream: int) -> None:
    (tmp_path / "later.py").write_text(
        "import os, threading\n"
        "os.register_at_fork(after_in_parent=lambda: threading.Timer(60, print).start())\n"
    )
    worker = start(tmp_path, ["later", []])
    fork(worker, stream)

    with pytest.raises(WorkerError, match="the imports started threads"):
        fork(worker, stream)

    reap(worker)


def test_a_run_whose_variables_have_no_room_gets_no_process(tmp_path: Path, stream: int) -> None:
    worker = start(tmp_path)

    with pytest.raises(WorkerError, match="its paths are too long"):
        fork(worker, stream, LAUNCHER_PARAMS="x" * 17_000)

    reap(worker)


def test_a_command_that_is_not_plain_gets_no_process(tmp_path: Path, stream: int) -> None:
    worker = start(tmp_path)

    with pytest.raises(WorkerError, match="it is no plain command"):
        worker.fork(Launch(["python", "-u", "x.py"], "/", {}), stream)

    reap(worker)


def test_what_a_worker_told_before_its_end_is_heard_after_it(tmp_path: Path, stream: int) -> None:
    worker = start(tmp_path)
    pid = fork(worker, stream)
    wait_for(lambda: find_process(pid) is None)  # told, and reaped

    worker.end()
    os.waitpid(worker.pid, 0)
    while not worker.is_over:
        worker.read()

    assert worker.ended == {pid: 1 << 8}  # there is no x.py
    worker.socket.close()


def test_a_worker_that_died_before_it_read_is_over(
    tmp_path: Path, stream: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start(tmp_path)
    os.kill(worker.pid, signal.SIGSTOP)
    monkeypatch.setattr(worker_module, "_ANSWER_S", 0.2)
    with pytest.raises(WorkerError, match="it does not answer"):
        fork(worker, stream)

    worker.end()
    os.waitpid(worker.pid, 0)
    worker.read()  # a reset of the connection

    assert worker.is_over
    worker.socket.close()


def test_a_worker_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(600)")
    variables = {**os.environ, "PYTHONPATH": f"{environment._HOOKS}{os.pathsep}{tmp_path}"}
    worker = Worker("python", environment=variables, imports=[["slow", []]], variables=[])
    is_ready, before = worker.check(), worker.obstacle
    monkeypatch.setattr(worker_module, "_WARM_UP_S", 0.0)

    assert not is_ready
    assert not worker.check()
    assert (before, worker.obstacle) == (None, "its imports take too long")
    reap(worker)
