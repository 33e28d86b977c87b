"""Where there is no /proc, `ps` tells who belongs to whom: a runner that believes to be on macOS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from launcher.runner import folders, processes
from tests.runner.kit import Job, is_alive, write_program

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.runner.kit import Home

AS_ON_MACOS = (
    "import sys; from launcher.runner import processes; from launcher.runner.__main__ import main; "
    "sys.platform = 'darwin'; processes._HAS_PROC = False; processes._CHILDREN = '/nowhere'; "
    "processes.read_environment = lambda pid: []; sys.exit(main(sys.argv[1:]))"
)
MACOS = (sys.executable, "-c", AS_ON_MACOS)


def with_sysctl(place: Path) -> dict[str, str]:
    write_program(place / "bin" / "sysctl", "#!/bin/sh\necho 8C4A-BOOT\n")
    return {"PATH": f"{place / 'bin'}:{os.environ['PATH']}"}


def test_a_batch_runs(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job("sleep 600 & echo up", runs=2), Job("exit 1", name="b", retries=1), slots=2)

    batch.run(command=MACOS, env=with_sysctl(tmp_path))

    assert batch.states() == ["succeeded", "succeeded", "failed"]
    assert batch.processes() == set()
    assert batch.events("batch_started")[0]["boot_id"] == "8C4A-BOOT"


def test_what_a_dead_runner_left_is_ended_in_whatever_zone_and_language(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job("test -e ../go && exit 0; sleep 600 & echo up; sleep 600"))
    runner = batch.start(command=MACOS, env={**with_sysctl(tmp_path), "TZ": "Asia/Tokyo"})
    batch.wait_for_file("log.txt")
    batch.wait_for(lambda: batch.log() and batch.started())
    runner.kill()
    runner.wait()
    left = batch.processes()
    (batch.run_folder(0) / "go").touch()

    batch.run(command=MACOS, env={**with_sysctl(tmp_path), "TZ": "America/Lima"})

    assert len(left) >= 2
    assert not any(is_alive(pid) for pid in left)
    assert batch.states() == ["succeeded"]


def test_ps_and_proc_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        from_proc = processes.find_process(child.pid)
        monkeypatch.setattr(processes, "_HAS_PROC", False)
        from_ps = processes.find_process(child.pid)
    finally:
        child.kill()
        child.wait()

    assert from_proc is not None
    assert from_ps is not None
    assert from_ps._replace(started="") == from_proc._replace(started="")
    assert from_ps.parent == os.getpid()


def test_a_kernel_that_lists_no_children_is_asked_for_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        listed = processes.find_children()
        monkeypatch.setattr(processes, "_CHILDREN", "/nowhere")
        found = processes.find_children()
    finally:
        child.kill()
        child.wait()

    assert child.pid in listed & found


def test_the_boot_is_the_same_until_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert processes.boot_id() == processes.boot_id() != ""
    monkeypatch.setattr(processes, "_HAS_PROC", False)
    monkeypatch.setenv("PATH", with_sysctl(tmp_path)["PATH"])
    assert processes.boot_id() == "8C4A-BOOT"


def test_nobody_is_found_where_nobody_is() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    assert processes.find_process(gone.pid) is None
    assert processes.read_environment(gone.pid) == []
    processes.send_signal([gone.pid], signal.SIGTERM)
    assert processes.end_at_once(marker=b"NOBODY=has this") == 0


def test_a_zombie_is_nobody() -> None:
    child = subprocess.Popen(["true"], env={"MARK": "x"})
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert processes.find_members(leaders=[child.pid], marker=b"MARK=x") == set()
    child.wait()


def test_all_that_a_process_started_is_killed_however_fast_it_forks() -> None:
    forks = "while :; do sleep 600 & sleep 0.001; done"
    child = subprocess.Popen(["/bin/sh", "-c", forks], start_new_session=True, env={"MARK": "bomb"})
    time.sleep(0.2)

    killed = processes.end_at_once(leaders=[child.pid], marker=b"MARK=bomb")

    assert killed > 1
    assert processes.find_members(leaders=[child.pid], marker=b"MARK=bomb") == set()
    child.wait()


def test_patience_with_what_does_not_die_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 2)
    monkeypatch.setattr(processes, "send_signal", lambda _pids, _number: None)
    child = subprocess.Popen(["sleep", "600"])

    assert processes.end_at_once(leaders=[child.pid]) == 1

    child.kill()
    child.wait()


def test_files_are_stamped_by_the_clock_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = folders.file_time_ns()
    (tmp_path / "file").touch()

    assert before <= (tmp_path / "file").stat().st_ctime_ns
    monkeypatch.setattr(sys, "platform", "darwin")
    assert abs(folders.file_time_ns() - time.time_ns()) < 10**9
