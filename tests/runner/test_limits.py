"""Time limit, stall limit, grace, and that nothing of a run outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from launcher.runner.attempt import Attempt
from launcher.runner.slots import Place
from tests.runner.kit import FROM_SOURCES, Job, is_alive, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in () if "loud" in sys.argv else (0, 1, 2):
            os.dup2(null, stream)
        os.chdir("/")
        with open(os.environ["PID_FILE"] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.environ["PID_FILE"] + ".new", os.environ["PID_FILE"])
        if "clean" in sys.argv:
            os.execve(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(600)"], {})
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(os.environ["PID_FILE"]):
    time.sleep(0.01)
"""


def daemon_job(pid_file: Path, *options: str, then: str = "", name: str = "job") -> Job:
    """A job that leaves a daemon: two forks, a session of its own, no stream, no folder of the run."""
    run = f"'{sys.executable}' -S daemon.py {' '.join(options)}; {then}"
    return Job(run, name=name, code={"daemon.py": DAEMON}, env={"PID_FILE": str(pid_file)})


def pid_in(file: Path) -> int:
    wait_for(file.exists)
    return int(file.read_text())


def seconds(batch: Frozen, run: int = 0) -> float:
    """How long a run ran."""
    state = batch.state(run)
    began, ended = (datetime.fromisoformat(state[key]) for key in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


def test_a_run_that_takes_too_long_is_ended(home: Home) -> None:
    batch = home.freeze(Job("sleep 600", run_s=0.3), Job(name="next"))

    batch.run()

    assert batch.states() == ["timed_out", "succeeded"]
    assert batch.reason() == "ran longer than its limit of 0.3 s"
    assert batch.state()["signal"] == signal.SIGTERM
    assert 0.3 <= seconds(batch) < 3


def test_a_run_that_ends_well_when_asked_to_is_timed_out_all_the_same(home: Home) -> None:
    batch = home.freeze(Job("trap 'exit 0' TERM; while :; do sleep 0.02; done", run_s=0.2))

    batch.run()

    assert (batch.state()["state"], batch.state()["exit_code"]) == ("timed_out", 0)


def test_a_run_that_ignores_sigterm_is_killed_after_the_grace(home: Home) -> None:
    batch = home.freeze(Job("trap '' TERM; echo ready; while :; do sleep 0.02; done", run_s=0.2))

    batch.run(grace_s=0.5)

    assert batch.state()["state"] == "timed_out"
    assert batch.state()["signal"] == signal.SIGKILL
    assert 0.7 <= seconds(batch) < 4


def test_a_run_that_saves_within_the_grace_is_left_the_time(home: Home) -> None:
    saves = "trap 'sleep 0.4; echo saved > \"$LAUNCHER_OUTPUT/model\"; exit 1' TERM"
    batch = home.freeze(Job(f"{saves}; while :; do sleep 0.02; done", run_s=0.2))

    batch.run(grace_s=20)

    assert batch.outputs() == {"model": b"saved\n"}


def test_a_run_without_a_sign_of_life_is_stalled(home: Home) -> None:
    batch = home.freeze(Job("echo begin; sleep 600", stall_s=0.4))

    batch.run()

    assert batch.state()["state"] == "stalled"
    assert batch.reason() == "no log byte and no epoch for 0.4 s"
    assert 0.4 <= seconds(batch) < 3


@pytest.mark.parametrize("sign", ["printf .", 'echo "0,1,1,0.1" >> ../history.csv'])
def test_log_bytes_and_epochs_are_signs_of_life(home: Home, sign: str) -> None:
    batch = home.freeze(Job(f"for i in 1 2 3 4 5 6 7 8; do {sign}; sleep 0.15; done", stall_s=0.6))

    batch.run()

    assert batch.states() == ["succeeded"]


def test_an_epoch_counts_from_when_it_came_and_not_from_when_it_was_seen(home: Home) -> None:
    batch = home.freeze(Job("sleep 0.1; echo epoch > ../history.csv; sleep 600", stall_s=2))

    batch.run()

    assert batch.state()["state"] == "stalled"
    assert seconds(batch) < 3.5


def test_the_history_of_an_earlier_attempt_is_no_sign_of_life(home: Home) -> None:
    run = "test -e ../history.csv || { echo epoch > ../history.csv; exit 1; }; sleep 600"
    batch = home.freeze(Job(run, retries=1, stall_s=2))

    batch.run()

    assert batch.state()["state"] == "stalled"
    assert seconds(batch) < 3.5


def test_children_are_gone_after_the_run(home: Home) -> None:
    batch = home.freeze(Job("sleep 600 & sleep 600 & echo done"))

    batch.run()

    assert batch.states() == ["succeeded"]
    assert batch.processes() == set()


def test_what_a_run_leaves_is_asked_first_and_killed_then(home: Home) -> None:
    polite = "(trap 'echo asked; exit' TERM; while :; do sleep 0.02; done) &"
    stubborn = "(trap '' TERM; echo stubborn; while :; do sleep 0.02; done) &"
    batch = home.freeze(Job(f"{polite} {stubborn} sleep 0.3; echo main"))

    batch.run()

    assert {b"asked", b"main", b"stubborn"} <= set(batch.log().split())
    assert batch.states() == ["succeeded"]


@pytest.mark.parametrize("options", [(), ("clean",)])
def test_daemons_are_gone_after_the_run(home: Home, tmp_path: Path, options: tuple[str, ...]) -> None:
    batch = home.freeze(daemon_job(tmp_path / "pid", *options))

    batch.run()

    assert batch.states() == ["succeeded"]
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_daemons_are_gone_after_a_run_that_was_ended(home: Home, tmp_path: Path) -> None:
    job = daemon_job(tmp_path / "pid", "clean", then="sleep 600")
    job.run_s = 1.0
    batch = home.freeze(job)

    batch.run()

    assert batch.states() == ["timed_out"]
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_a_daemon_that_is_marked_goes_with_its_run_and_not_with_a_sibling(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(
        daemon_job(tmp_path / "a", name="a"),
        daemon_job(tmp_path / "b", name="b", then='while test ! -e "$PID_FILE.done"; do sleep 0.02; done'),
        slots=2,
    )
    runner = batch.start()

    batch.wait_for(lambda: batch.state(0)["state"] == "succeeded")

    assert not is_alive(pid_in(tmp_path / "a"))
    assert is_alive(pid_in(tmp_path / "b"))
    (tmp_path / "b.done").touch()
    assert runner.wait(60) == 0
    assert not is_alive(pid_in(tmp_path / "b"))


def test_a_daemon_without_a_mark_goes_with_the_last_who_can_have_left_it(home: Home, tmp_path: Path) -> None:
    until = 'while test ! -e "$PID_FILE.done"; do sleep 0.02; done'
    batch = home.freeze(
        daemon_job(tmp_path / "a", "clean", name="a", then=until),
        daemon_job(tmp_path / "b", "clean", name="b", then=until),
        Job(until, name="c", env={"PID_FILE": str(tmp_path / "c")}),
        slots=2,
    )
    runner = batch.start()
    assert all(is_alive(pid_in(tmp_path / name)) for name in "ab")

    (tmp_path / "a.done").touch()
    batch.wait_for(lambda: batch.state(2)["state"] == "running")
    assert is_alive(pid_in(tmp_path / "b"))
    (tmp_path / "b.done").touch()
    batch.wait_for(lambda: batch.state(1)["state"] == "succeeded")

    # Whoever began later is no suspect: it still runs.
    assert not is_alive(pid_in(tmp_path / "a"))
    assert not is_alive(pid_in(tmp_path / "b"))
    assert batch.state(2)["state"] == "running"
    (tmp_path / "c.done").touch()
    assert runner.wait(60) == 0


def test_a_log_is_closed_though_a_daemon_still_holds_it(home: Home, tmp_path: Path) -> None:
    until = 'while test ! -e "$PID_FILE"; do sleep 0.02; done'
    batch = home.freeze(
        daemon_job(tmp_path / "a", "clean", "loud", then="echo last words", name="a"),
        Job(until, name="b", env={"PID_FILE": str(tmp_path / "go")}),
        slots=2,
    )
    runner = batch.start()

    batch.wait_for(lambda: batch.state(0)["state"] == "succeeded")

    assert batch.log(0) == b"last words\n"
    (tmp_path / "go").touch()
    assert runner.wait(60) == 0
    assert not is_alive(pid_in(tmp_path / "a"))


def test_a_group_that_no_orphan_tells_of_is_ended_too(tmp_path: Path) -> None:
    """Where the system gives orphans to somebody else."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    attempt = an_attempt(tmp_path)
    attempt.pid = child.pid
    attempt.exited(0)

    looks = [attempt.is_over(now, orphans=(), own=()) for now in (0.0, 0.01)]
    child.wait(60)

    assert looks == [False, False]
    assert attempt.is_over(1.0, orphans=(), own=())
    attempt.close()


def test_an_attempt_that_finds_no_room_for_a_word_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.txt").symlink_to("/dev/full")
    attempt = an_attempt(tmp_path)

    with pytest.raises(OSError, match="No space left"):
        attempt.start(lambda _: 1, now=0.0)

    attempt.close()
    assert attempt.pid == 0


def test_what_still_stands_in_the_pipe_at_the_end_is_taken(tmp_path: Path) -> None:
    attempt = an_attempt(tmp_path)
    attempt.start(lambda stream: os.write(stream, b"last words\n"), now=0.0)

    attempt.close()

    assert (tmp_path / "log.txt").read_bytes().endswith(b"last words\n")


def an_attempt(folder: Path) -> Attempt:
    return Attempt(
        0, number=2, place=Place((), 0.0), folder=str(folder), run_s=None, stall_s=None, grace_s=1.0
    )


def test_limits_do_not_ask_what_time_it_is(home: Home) -> None:
    run = "sleep 0.3; kill -STOP $PPID; sleep 0.1; kill -CONT $PPID; sleep 0.3; echo done"
    batch = home.freeze(Job(run, run_s=30, stall_s=30))

    # For this runner a second is an hour, and the year is 1999.
    clock = ["faketime", "-m", "-f", "@1999-12-31 23:59:59 x3600"]
    batch.run(command=[*clock, "env", "FAKETIME_DONT_FAKE_MONOTONIC=1", *FROM_SOURCES])

    assert batch.states() == ["succeeded"]
    assert batch.state()["started_at"] < "2026"


def test_a_terminal_that_closes_ends_nothing(home: Home) -> None:
    batch = home.freeze(Job("echo up; sleep 0.5", runs=2))
    runner = batch.start(start_new_session=True)
    batch.wait_for_file("log.txt")

    os.killpg(runner.pid, signal.SIGHUP)

    assert runner.wait(60) == 0
    assert batch.states() == ["succeeded"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_told_to_stop_interrupts_with_grace(home: Home, number: int) -> None:
    saves = "trap 'sleep 0.2; echo saved > model; exit 0' TERM; echo up; while :; do sleep 0.02; done"
    batch = home.freeze(Job(saves, retries=3, runs=2))
    runner = batch.start(grace_s=20)
    batch.wait_for(lambda: (batch.run_folder(0) / "log.txt").exists() and batch.log() == b"up\n")

    runner.send_signal(number)

    assert runner.wait(60) == 0
    assert batch.states() == ["interrupted", "queued"]
    assert batch.reason() == "the runner was told to stop"
    assert batch.outputs() == {"model": b"saved\n"}
    assert batch.processes() == set()


@pytest.mark.parametrize("end", ["kill -TERM $$", "exit 143", "kill -KILL $$"])
def test_a_shutdown_that_reaches_a_run_before_its_runner_interrupts_it(home: Home, end: str) -> None:
    batch = home.freeze(Job(f"kill -TERM $PPID; {end}"), Job(name="next"))

    batch.run()

    assert batch.states() == ["interrupted", "queued"]
    assert batch.reason() == "the runner was told to stop"


def test_an_interrupted_run_is_repeated_and_attempts_go_on(home: Home) -> None:
    batch = home.freeze(Job("echo up; test -e again || sleep 600"), Job(name="b"))
    runner = batch.start()
    batch.wait_for_file("log.txt")
    time.sleep(0.1)
    runner.terminate()
    runner.wait(60)
    batch.plan["runs"][0]["argv"] = ["echo", "again"]
    batch.write_plan()

    batch.run()

    assert batch.states() == ["succeeded"] * 2
    assert batch.state(0)["attempt"] == 2
    assert batch.log(0) == b"up\n[launcher: attempt 2]\nagain\n"


def test_what_stopped_cancels_nothing_that_waits_for_it(home: Home) -> None:
    slow = "trap 'sleep 0.8; exit' TERM; echo up; while :; do sleep 0.02; done"
    batch = home.freeze(
        Job("echo up; sleep 600", name="first"),
        Job(slow, name="slow"),
        Job(name="then", after=["first"]),
        slots=2,
    )
    runner = batch.start(grace_s=20)
    batch.wait_for(
        lambda: all((batch.run_folder(run) / "log.txt").exists() and batch.log(run) for run in (0, 1))
    )

    runner.terminate()

    assert runner.wait(60) == 0
    assert batch.states() == ["interrupted", "interrupted", "queued"]
