"""Two people at the same keyboard: batches never mix, and no run runs twice at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.broken.kit import kill

if TYPE_CHECKING:
    from tests.broken.kit import Project


def test_two_submits_at_once_are_two_batches_that_run_one_after_the_other(project: Project) -> None:
    file = project.job(runs=3)

    with ThreadPoolExecutor(2) as people:
        one, other = people.map(lambda _: project.submit(file), range(2))

    assert one != other
    for batch in (one, other):
        project.settle(batch)
    for batch in (one, other):
        said = project.check_end(batch)
        assert [project.begun(batch, run["id"]) for run in said["runs"]] == [1, 1, 1]


def test_two_first_submits_at_once_share_a_home(project: Project) -> None:
    project.home.rmdir()
    file = project.job()

    with ThreadPoolExecutor(4) as people:
        batches = list(people.map(lambda _: project.submit(file), range(4)))

    for batch in batches:
        project.check_end(batch)
    assert (project.home / ".gitignore").read_text() == "*\n"


def test_two_resumes_at_once_start_each_run_once(project: Project) -> None:
    batch = project.submit(project.job(runs=4, env={"NAP": "0.2"}), "--slots", "2")
    project.wait_for(batch, lambda: project.processes(batch))
    kill(project.runners(batch).pop())
    project.settle(batch)

    with ThreadPoolExecutor(3) as people:
        list(people.map(lambda _: project.call("resume", batch.name, "--detach"), range(3)))
        list(people.map(lambda _: project.call("resume", batch.name, "--detach"), range(3)))

    project.settle(batch)
    project.bring_to_end(batch)


def test_a_resume_beside_a_stop_leaves_one_of_both_ends(project: Project) -> None:
    batch = project.submit(project.job(runs=4, env={"NAP": "0.2"}))
    project.wait_for(batch, lambda: project.processes(batch))

    with ThreadPoolExecutor(2) as people:
        people.submit(project.call, "stop", batch.name, code=None)
        people.submit(project.call, "resume", batch.name, "--detach")

    project.settle(batch)
    said = project.check(batch)
    assert said["state"] in {"cancelled", "succeeded"}
    project.bring_to_end(batch)


def test_two_stops_at_once_end_a_batch_once(project: Project) -> None:
    batch = project.submit(project.job(runs=3, env={"NAP": "20"}))
    project.wait_for(batch, lambda: project.processes(batch))

    with ThreadPoolExecutor(2) as people:
        list(people.map(lambda _: project.call("stop", batch.name), range(2)))

    said = project.check_end(batch, state="cancelled")
    assert {run["reason"] for run in said["runs"]} == {"stopped by request"}
