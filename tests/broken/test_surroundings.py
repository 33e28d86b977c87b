"""A clock that jumps, streams that are closed, programs and rights that are missing: no cause for a lie."""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.broken.harm import program, wrapped_runner
from tests.broken.kit import is_locked, kill

if TYPE_CHECKING:
    from tests.broken.kit import Project

LIMITS = {"run": "30s", "stall": "20s"}


@pytest.mark.parametrize("offset", ["+400d", "-400d"])
def test_a_batch_of_another_time_is_told_truly_in_ours(project: Project, offset: str) -> None:
    file = project.job(runs=3, env={"PATIENT": "1"}, limits=LIMITS)
    batch = project.submit(file, wrapper=[program("faketime"), "-f", offset])

    project.wait_for(batch, lambda: project.processes(batch))
    assert project.check(batch)["state"] == "running"
    kill(project.runners(batch).pop())
    project.settle(batch)
    assert project.check(batch)["state"] == "interrupted"

    (project.tally / "go").touch()
    project.bring_to_end(batch)


@pytest.mark.parametrize("offset", ["+400d", "-400d"])
def test_status_from_another_time_is_as_true(project: Project, offset: str) -> None:
    batch = project.submit(project.job(runs=2, env={"PATIENT": "1"}, limits=LIMITS))
    project.wait_for(batch, lambda: project.processes(batch))

    done = project.call("status", "--json", wrapper=[program("faketime"), "-f", offset])

    assert '"state": "running"' in done.stdout
    assert is_locked(batch)
    (project.tally / "go").touch()
    project.check_end(batch)


def has_begun(project: Project, runs: int) -> bool:
    return len(list(project.tally.glob("*.lock"))) >= runs


def test_a_clock_that_jumps_under_a_batch_ends_no_run(project: Project) -> None:
    clock = project.place / "clock"
    clock.write_text("+0\n")
    preload = [program("faketime"), "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(preload, capture_output=True, text=True, check=True).stdout.strip()
    faked = [
        program("env"),
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
    env = wrapped_runner(project.place, faked)
    batch = project.submit(project.job(runs=4, env={"NAP": "0.4"}, limits=LIMITS), env=env)

    for number, jump in enumerate(("+3d", "-3d", "+0")):
        project.wait_for(batch, partial(has_begun, project, number + 1))
        clock.write_text(f"{jump}\n")
        said = project.check(batch)
        assert said["state"] in {"running", "succeeded"}

    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1] * 4


@pytest.mark.parametrize("closed", ["<&-", "<&- >/dev/null", "<&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_keep_no_batch_from_its_end(project: Project, closed: str) -> None:
    wrapper = ["/bin/sh", "-c", f'"$@" {closed}', "sh"]

    project.call("submit", project.job(runs=2), "--detach", code=None, wrapper=wrapper)

    (batch,) = project.batches()
    said = project.check_end(batch)
    assert [run["attempts"] for run in said["runs"]] == [1, 1]


def test_a_path_without_nohup_is_told_and_resume_mends_it(project: Project) -> None:
    empty = project.place / "empty"
    empty.mkdir()

    done = project.call("submit", project.job(), "--detach", code=None, env={"PATH": str(empty)})

    batches = project.batches()
    assert done.returncode not in {70, 130}
    if done.returncode:
        assert "nohup" in done.stderr
        for batch in batches:
            assert project.check(batch)["state"] == "queued"
    for batch in batches:
        project.bring_to_end(batch)


@pytest.mark.root
def test_a_home_that_may_only_be_read_is_read(project: Project) -> None:
    done = project.submit(project.job(name="done", runs=2))
    project.check_end(done)
    stopped = project.submit(project.job(env={"PATIENT": "1"}))
    project.wait_for(stopped, lambda: project.processes(stopped))
    project.call("stop", stopped.name)
    project.remember(done)
    subprocess.run(["chmod", "-R", "a-w", str(project.home)], check=True)
    # Root without its capabilities is a user like any other.
    powerless = [program("setpriv"), "--bounding-set=-all", "--inh-caps=-all"]

    for command in (["status"], ["status", "--json"], ["compare"], ["logs", "done-0000"]):
        project.call(*command, wrapper=powerless)
    for command in (["resume"], ["submit", "job.yaml"]):
        told = project.call(*command, wrapper=powerless, code=None)
        assert told.returncode not in {0, 70}, told.stdout

    subprocess.run(["chmod", "-R", "u+w", str(project.home)], check=True)
    project.check_end(done)
    project.check(stopped)
    (project.tally / "go").touch()
    project.bring_to_end(stopped)
