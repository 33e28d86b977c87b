"""submit dies, alone or with its runner, or its terminal closes: a batch is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broken.harm import SUBMIT_CALLS, dying
from tests.broken.kit import LAUNCHER, environment, is_alive, kill, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.broken.kit import Project


def the_batch(project: Project) -> Path:
    wait_for(project.batches)
    (batch,) = project.batches()
    return batch


@pytest.mark.parametrize("call", sorted(SUBMIT_CALLS))
def test_a_submit_killed_at_any_instant_leaves_a_whole_batch_or_none(
    new_project: Callable[[], Project], call: str
) -> None:
    @settings(max_examples=4)
    @given(number=st.integers(1, SUBMIT_CALLS[call]))
    def kill_at(number: int) -> None:
        project = new_project()
        file = project.job(runs=2)

        project.call("submit", file, "--detach", code=None, wrapper=dying(call, number))

        for batch in project.batches():
            project.settle(batch)
            project.check(batch)
            project.bring_to_end(batch)
        batch = project.submit(file)
        project.check_end(batch)
        project.call("clean", "--keep-last", "9", "--yes")
        assert list((project.home / ".staging").glob("*")) == [], "a killed submit's copy is kept for good"

    kill_at()


@settings(max_examples=6)
@given(instant=st.floats(0.2, 1.2))
def test_a_submit_and_its_runner_killed_together_leave_a_batch_that_can_go_on(
    new_project: Callable[[], Project], instant: float
) -> None:
    project = new_project()
    process = project.start("submit", project.job(runs=3, env={"NAP": "0.2"}))

    with process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(instant)
        for pid in (process.pid, *project.runners()):
            kill(pid)
    for pid in project.runners():  # started in between
        kill(pid)

    for batch in project.batches():
        project.settle(batch)
        project.check(batch)
        project.bring_to_end(batch)


def submit_in_terminal(project: Project, file: Path, *more: str) -> tuple[int, int]:
    """Submit in a terminal of its own. Returns: the leader of its session, and our end of it."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        shell = ["/bin/sh", "-c", '"$@"; exit $?', "sh", str(LAUNCHER), "submit", str(file), *more]
        os.execve(shell[0], shell, environment({"TERM": "xterm"}))
    return pid, master


@pytest.mark.parametrize("more", [(), ("--detach",)], ids=["following", "detached"])
def test_a_terminal_that_closes_ends_no_run(project: Project, more: tuple[str, ...]) -> None:
    leader, master = submit_in_terminal(project, project.job(runs=3, env={"NAP": "0.3"}), *more)
    batch = the_batch(project)
    project.wait_for(batch, lambda: project.processes(batch))

    os.close(master)
    os.waitpid(leader, 0)

    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1, 1, 1]


def test_the_death_of_the_shell_that_submitted_ends_no_run(project: Project) -> None:
    leader, master = submit_in_terminal(project, project.job(runs=2, env={"NAP": "0.3"}))
    batch = the_batch(project)
    project.wait_for(batch, lambda: project.processes(batch))

    kill(leader)
    os.waitpid(leader, 0)
    os.close(master)

    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1, 1]


def test_a_hangup_sent_to_runner_and_submit_ends_no_run(project: Project) -> None:
    process = project.start("submit", project.job(runs=2, env={"NAP": "0.3"}))
    batch = the_batch(project)
    project.wait_for(batch, lambda: project.processes(batch))

    for pid in (process.pid, *project.runners(batch)):
        os.kill(pid, signal.SIGHUP)

    process.communicate()
    assert not is_alive(process.pid)
    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1, 1]


def test_ctrl_c_leaves_the_batch_running_and_says_how_to_come_back(project: Project) -> None:
    process = project.start("submit", project.job(runs=2, env={"NAP": "0.3"}))
    batch = the_batch(project)
    project.wait_for(batch, lambda: project.processes(batch))

    process.send_signal(signal.SIGINT)
    _, told = process.communicate()

    assert process.returncode == 0
    assert f"launcher attach {batch.name}" in told.decode()
    project.check_end(batch)
