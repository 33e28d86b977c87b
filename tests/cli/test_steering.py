"""attach, stop and resume: what they end, what they start, and that they never tell what is no longer so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.kit import kill, runner_of, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.kit import Project

UNTIL_GO = 'touch "$SHARED/$LAUNCHER_RUN"; while ! test -e "$SHARED/go"; do sleep 0.05; done'


def started(project: Project, *words: str, run: str = UNTIL_GO, repeats: int = 3) -> Path:
    """Submit a batch whose first run waits for `go`."""
    batch = project.submit(project.job(run, repeats=repeats), *words)
    wait_for(lambda: "running" in project.states())
    return batch


def attempts(project: Project) -> list[int]:
    return [run["attempts"] for run in project.status()["runs"]]


def test_attach_follows_to_the_end_and_exits_by_the_outcome(project: Project) -> None:
    project.submit(project.job("sleep 0.3; exit 1"))

    done = project.launcher("attach")

    assert done.code == 1
    assert "failed" in done.out
    assert project.launcher("attach").code == 1


def test_stop_cancels_the_newest_batch_with_all_its_processes(project: Project) -> None:
    batch = started(project, run=f"(setsid sleep 1000 &) ; {UNTIL_GO}")

    done = project.launcher("stop")

    assert (done.code, done.out) == (0, f"stopped {batch.name}\n")
    assert project.states() == ["cancelled"] * 3
    wait_for(lambda: project.processes() == [])


def test_stop_cancels_single_runs_and_the_others_go_on(project: Project) -> None:
    batch = started(project)
    running, queued, _ = (run["id"] for run in project.status()["runs"])

    done = project.launcher("stop", "job-0000", f"{batch.name}/job-0001")
    (project.shared / "go").touch()

    assert done.out == f"stopped {batch.name}: {running}, {queued}\n"
    project.wait_for_states("cancelled", "cancelled", "succeeded")
    assert project.launcher("attach").code == 1


def test_stop_of_a_batch_and_one_of_its_runs_stops_the_batch(project: Project) -> None:
    batch = started(project)

    project.good("stop", "job-0001", batch.name)

    assert project.states() == ["cancelled"] * 3


def test_stop_of_several_batches(project: Project) -> None:
    first = project.submit(project.job(UNTIL_GO, "one"))
    second = project.submit(project.job(UNTIL_GO, "two"))

    done = project.good("stop", second.name, first.name)

    assert done.splitlines() == [f"stopped {second.name}", f"stopped {first.name}"]
    assert project.states(first.name) + project.states(second.name) == ["cancelled"] * 2


def test_stop_where_nothing_runs_says_so(project: Project) -> None:
    project.good("submit", project.job())

    done = project.launcher("stop")

    assert (done.code, done.out) == (0, "")
    assert "Nothing to stop" in done.err
    assert project.states() == ["succeeded"]


def test_stop_of_a_batch_whose_runner_died_cancels_it(project: Project) -> None:
    batch = started(project)
    kill(runner_of(batch))
    wait_for(lambda: project.status()["state"] == "interrupted")

    project.good("stop")

    assert project.status()["state"] == "cancelled"
    wait_for(lambda: project.processes() == [])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nonsense", "No run begins with 'nonsense'"),
        ("jb-0000", "Did you mean job-0000"),
        ("20", "batches begin"),
    ],
)
def test_stop_of_what_is_not_there(project: Project, word: str, said: str) -> None:
    project.good("submit", project.job())
    project.good("submit", project.job())

    done = project.launcher("stop", word)

    assert done.code == 2
    assert said in done.err


def test_stop_names_the_batch_that_may_be_meant(project: Project) -> None:
    batch = project.submit(project.job())
    project.good("attach")

    done = project.launcher("stop", batch.name[:-2] + "zz")

    assert done.code == 2
    assert f"Did you mean {batch.name}" in done.err


def test_resume_goes_on_where_stop_ended(project: Project) -> None:
    started(project)
    project.good("stop")
    (project.shared / "go").touch()

    done = project.launcher("resume")

    assert done.code == 0
    assert project.states() == ["succeeded"] * 3
    assert attempts(project) == [2, 1, 1]


def test_resume_right_after_stop_tells_nothing_stale(project: Project) -> None:
    batch = started(project)

    for _ in range(3):
        project.good("stop")
        done = project.launcher("resume", "--detach")

        assert (done.code, done.out) == (0, f"{batch.name}\n")
        assert project.status()["state"] in {"queued", "running"}

    (project.shared / "go").touch()
    assert project.launcher("attach").code == 0


def test_resume_after_kill_9_of_the_runner_repeats_only_what_was_cut_off(project: Project) -> None:
    batch = started(project, run=f'test "$LAUNCHER_RUN" = "${{LAUNCHER_RUN#job-0000}}" || exit 0; {UNTIL_GO}')
    wait_for(lambda: project.states()[:2] == ["succeeded", "running"])
    kill(runner_of(batch))
    wait_for(lambda: project.status()["state"] == "interrupted")
    before = {run["id"]: run["ended_at"] for run in project.status()["runs"] if run["state"] == "succeeded"}
    (project.shared / "go").touch()

    done = project.launcher("resume")

    assert done.code == 0
    assert attempts(project) == [1, 2, 1]
    assert before.items() <= {run["id"]: run["ended_at"] for run in project.status()["runs"]}.items()
    assert len(before) == 1


def test_resume_of_a_finished_batch_has_nothing_to_do(project: Project) -> None:
    project.good("submit", project.job())

    done = project.launcher("resume")

    assert (done.code, done.out) == (0, "")
    assert "Nothing to do" in done.err


def test_failed_runs_run_again_only_when_asked_for(project: Project) -> None:
    project.launcher("submit", project.job('test -e "$SHARED/go"'), project.job(name="good"))

    done = project.launcher("resume")

    assert done.code == 0
    assert "--failed" in done.err
    assert project.states() == ["failed", "succeeded"]
    (project.shared / "go").touch()
    assert project.launcher("resume", "--failed").code == 0
    assert attempts(project) == [2, 1]


def test_two_resumes_at_once_run_nothing_twice(project: Project) -> None:
    started(
        project,
        run='mkdir "$SHARED/$LAUNCHER_RUN" || exit 9; while ! test -e "$SHARED/go"; do sleep 0.05; done',
    )
    project.good("stop")
    for folder in project.shared.iterdir():
        folder.rmdir()
    (project.shared / "go").touch()

    both = [project.start("resume") for _ in range(2)]

    assert [each.wait(60) for each in both] == [0, 0]
    assert project.states() == ["succeeded"] * 3
    assert attempts(project) == [2, 1, 1]


def test_resume_of_a_running_batch_follows_it(project: Project) -> None:
    started(project, repeats=1)
    resume = project.start("resume")
    (project.shared / "go").touch()

    assert resume.wait(60) == 0
    assert attempts(project) == [1]


def test_a_batch_that_no_runner_took_up_can_be_resumed(project: Project) -> None:
    batch = project.submit(project.job())
    project.good("attach")
    for name in ("runs", "events.jsonl", "runner.json", "runner.lock", "manifest.json"):
        (batch / name).rename(
            project.shared / name
        )  # as where `submit` is killed before it starts the runner

    assert project.status()["state"] == "queued"
    assert "no runner is at work on it" in project.good("status")
    assert project.launcher("resume").code == 0


def test_the_journal_says_what_was_asked(project: Project) -> None:
    batch = started(project, repeats=1)
    project.good("stop")

    events = [json.loads(line)["event"] for line in (batch / "events.jsonl").read_bytes().splitlines()]

    # Whoever brings a request may find the first runner gone, and looks whether anything is left to do.
    assert events[:4] == ["batch_started", "started", "ended", "batch_ended"]
