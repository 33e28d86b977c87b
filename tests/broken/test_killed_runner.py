"""kill -9 of the runner at each step of a run's life: nothing is lost, repeated, or run twice at once."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broken.harm import RUNNER_CALLS, dying, wrapped_runner
from tests.broken.kit import is_alive, kill, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.broken.kit import Project

LONG = {"NAP": "30"}


def wait_until_running(project: Project, batch: Path, runs: int = 1) -> None:
    project.wait_for(batch, lambda: len(list(project.tally.glob("*.lock"))) >= runs)


def submit_until_killed(project: Project, file: Path, env: dict[str, str]) -> Path:
    """Submit, and end whoever still waits for a runner that was killed before it could say a word."""
    with project.start("submit", file, "--detach", env=env) as process:
        wait_for(lambda: process.poll() is not None or list(project.home.glob("batches/*/runner.log")))
        (batch,) = project.batches()
        time.sleep(0.5)  # the runner's log is there a moment before the runner is
        project.settle(batch)
        process.kill()
    return batch


@pytest.mark.parametrize("call", sorted(RUNNER_CALLS))
def test_a_runner_killed_at_any_instant_neither_loses_nor_repeats_a_run(
    new_project: Callable[[], Project], call: str
) -> None:
    @settings(max_examples=8)
    @given(number=st.integers(1, RUNNER_CALLS[call]))
    def kill_at(number: int) -> None:
        project = new_project()
        file = project.job(runs=3)

        batch = submit_until_killed(project, file, wrapped_runner(project.place, dying(call, number)))
        project.check(batch)

        said = project.bring_to_end(batch)
        assert len(said["runs"]) == 3

    kill_at()


def test_runners_killed_again_and_again_come_to_the_right_end(new_project: Callable[[], Project]) -> None:
    @settings(max_examples=4)
    @given(instants=st.lists(st.floats(0.0, 0.6), min_size=3, max_size=3))
    def kill_at(instants: list[float]) -> None:
        project = new_project()
        batch = project.submit(project.job(runs=6, env={"NAP": "0.1"}), "--slots", "2")

        for instant in instants:
            time.sleep(instant)
            for runner in project.runners(batch):
                kill(runner)
            project.settle(batch)
            project.remember(batch)
            project.call("resume", batch.name, "--detach")

        project.settle(batch)
        project.bring_to_end(batch)

    kill_at()


def test_status_says_at_once_that_a_runner_was_killed(project: Project) -> None:
    batch = project.submit(project.job(runs=2, env=LONG))
    wait_until_running(project, batch)

    kill(project.runners(batch).pop())
    project.settle(batch)
    said = project.check(batch)

    assert said["state"] == "interrupted"
    assert [run["state"] for run in said["runs"]] == ["interrupted", "queued"]
    assert said["runs"][0]["reason"] == "its runner is gone"
    project.call("stop")
    assert project.check_end(batch, state="cancelled")


def test_stop_ends_what_a_killed_runner_left_running(project: Project) -> None:
    batch = project.submit(project.job(runs=2, env=LONG), "--slots", "2")
    wait_until_running(project, batch, runs=2)
    kill(project.runners(batch).pop())
    project.settle(batch)
    assert len(project.processes(batch)) == 2

    project.call("stop")

    said = project.check_end(batch, state="cancelled")
    assert {run["state"] for run in said["runs"]} == {"cancelled"}


def test_a_daemon_of_a_killed_runner_is_ended_before_its_run_is_repeated(project: Project) -> None:
    script = 'setsid sleep 97 & if test ! -e "$TALLY/once"; then touch "$TALLY/once"; sleep 98; fi'
    batch = project.submit(project.job(["sh", "-c", script, "{params}"]))
    project.wait_for(batch, (project.tally / "once").exists)
    left = {pid for pids in project.processes(batch).values() for pid in pids}
    kill(project.runners(batch).pop())
    project.settle(batch)
    assert any(is_alive(pid) for pid in left)

    project.resume(batch)

    assert not any(is_alive(pid) for pid in left)
    said = project.check_end(batch)
    assert said["runs"][0]["attempts"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_that_is_asked_to_leave_interrupts_its_runs(project: Project, number: int) -> None:
    batch = project.submit(project.job(runs=2, env={"NAP": "1"}))
    wait_until_running(project, batch)

    kill(project.runners(batch).pop(), number)
    project.settle(batch)

    said = project.check(batch)
    assert [run["state"] for run in said["runs"]] == ["interrupted", "queued"]
    assert project.processes(batch) == {}
    project.bring_to_end(batch)


def test_a_runner_that_sleeps_is_no_dead_runner(project: Project) -> None:
    batch = project.submit(project.job(runs=2, env={"NAP": "0.3"}))
    wait_until_running(project, batch)
    runner = project.runners(batch).pop()
    kill(runner, signal.SIGSTOP)

    with project.start("resume", batch.name, "--detach") as resuming:
        project.wait_for(batch, lambda: list(batch.glob("requests/*.json")))
        said = project.check(batch)
        kill(runner, signal.SIGCONT)

    assert resuming.returncode == 0
    assert said["state"] == "running"
    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1, 1]
