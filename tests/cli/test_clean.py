"""clean: removes what is old, agreed to, and nobody's."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from tests.cli.kit import kill, runner_of, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.kit import Project


def submitted(project: Project, count: int) -> list[Path]:
    """Return batches that have succeeded, oldest first."""
    job = project.job()
    found = []
    for _ in range(count):
        project.good("submit", job)
        found.append(project.home / "batches" / project.status()["batch"])
    return found


def test_clean_removes_all_but_the_last_once_it_was_agreed_to(project: Project) -> None:
    batches = submitted(project, 3)

    done = project.launcher("clean", "--keep-last", "1", stdin="y\n")

    assert done.code == 0
    assert [line.split("  ")[0] for line in done.out.splitlines()] == [batches[1].name, batches[0].name]
    assert project.batches() == [batches[2]]
    assert list((project.home / ".staging").iterdir()) == []


def test_clean_removes_nothing_that_was_not_agreed_to(project: Project) -> None:
    batches = submitted(project, 2)

    refused = project.launcher("clean", "--keep-last", "0", stdin="n\n")
    unanswered = project.launcher("clean", "--keep-last", "0")

    assert (refused.code, unanswered.code) == (0, 2)
    assert "--yes" in unanswered.err
    assert set(project.batches()) == set(batches)


def test_clean_keeps_five_unless_told_otherwise(project: Project) -> None:
    submitted(project, 1)

    done = project.launcher("clean", "--yes")

    assert (done.code, done.err) == (0, "Nothing to remove.\n")
    assert len(project.batches()) == 1


def test_clean_never_removes_what_runs_or_is_queued(project: Project) -> None:
    running = project.submit(project.job('until test -e "$SHARED/go"; do sleep 0.05; done', "one"))
    queued = project.submit(project.job(name="two"))

    project.good("clean", "--keep-last", "0", "--yes")

    assert {running, queued} == set(project.batches())
    (project.shared / "go").touch()
    wait_for(lambda: project.states(running.name) + project.states(queued.name) == ["succeeded"] * 2)


def test_clean_keeps_a_batch_whose_results_count_in_one_that_stays(project: Project) -> None:
    grid = {"a": [1, 2]}
    project.launcher("submit", project.job("test {a} = 1", grid=grid, seed=7))
    project.launcher("submit", project.job("test {a} = 1", grid=grid, seed=7), "--needed")

    done = project.launcher("clean", "--keep-last", "1", "--yes")

    assert done.err == "Nothing to remove.\n"
    assert len(project.batches()) == 2


def test_clean_removes_an_unreadable_batch_too(project: Project) -> None:
    [batch] = submitted(project, 1)
    (batch / "plan.json").write_text("{torn")

    done = project.launcher("clean", "--keep-last", "0", "--yes")

    assert "unreadable" in done.out
    assert project.batches() == []


def test_clean_removes_what_a_run_forbade_to_everybody(project: Project) -> None:
    project.good(
        "submit",
        project.job('mkdir "$LAUNCHER_OUTPUT/d"; touch "$LAUNCHER_OUTPUT/d/f"; chmod 0 "$LAUNCHER_OUTPUT/d"'),
    )

    project.good("clean", "--keep-last", "0", "--yes")

    assert project.batches() == []


def test_clean_removes_leftovers_and_keeps_what_a_submit_is_at(project: Project) -> None:
    import fcntl

    [batch] = submitted(project, 1)
    staging = project.home / ".staging"
    for name in ("killed", "alive"):
        shutil.copytree(batch / "code", staging / name / "code")
        (staging / name / "runner.lock").touch()

    with (staging / "alive" / "runner.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project.good("clean", "--yes")

    assert [path.name for path in staging.iterdir()] == ["alive"]
    assert not os.access(staging / "alive" / "code" / "job", os.W_OK) or os.geteuid() == 0


def test_clean_after_the_runner_was_killed(project: Project) -> None:
    batch = project.submit(project.job('touch "$SHARED/up"; sleep 1000'))
    project.wait_for_shared("up")
    kill(runner_of(batch))
    wait_for(lambda: project.status()["state"] == "interrupted")

    project.good("stop")
    project.good("clean", "--keep-last", "0", "--yes")

    assert project.batches() == []
