"""Files of a batch that somebody or something destroyed: what can be told is told truly, the rest goes on."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.broken.kit import kill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broken.kit import Project

TORN = b'{"at": "2026-11-21T02:13:00.000000+00:00", "event": "end'
GARBAGE = (
    b'\n\x00\xff\xfe\x01\n{}\n[]\nnull\n7\n"x"\n{"event": "ended"}\n{"event": "ended", "run": 3}\n'
    b'{"event": "started"}\n{"event": "requeued", "run": []}\n{"event": []}\n{"run": "job"}\n'
)
DAMAGES = {
    "empty": b"",
    "torn": b'{"state": "succee',
    "garbage": b"\x00\xff\xfe",
    "a list": b"[1, 2]",
    "another word": b'{"state": "happy"}',
    "no attempt": b'{"state": "running"}',
}


def interrupt(project: Project, *, done: int = 1, runs: int = 3) -> Path:
    """Return a batch whose runner was killed -9 when so many of its runs had succeeded and one ran."""
    # Runs that take longer than a busy computer needs until the kill.
    batch = project.submit(project.job(runs=runs, env={"NAP": "1"}))
    project.wait_for(batch, lambda: len(project.remember(batch)) == done and project.processes(batch))
    kill(project.runners(batch).pop())
    project.settle(batch)
    return batch


def test_a_journal_with_a_torn_last_line_is_gone_on_with(project: Project) -> None:
    batch = interrupt(project)
    with (batch / "events.jsonl").open("ab") as journal:
        journal.write(TORN)

    project.check(batch)
    project.bring_to_end(batch)

    lines = (batch / "events.jsonl").read_bytes().split(b"\n")
    assert TORN in lines
    assert json.loads(lines[lines.index(TORN) + 1])["event"] in {"ended", "requeued", "batch_started"}


def test_a_journal_with_garbage_in_its_middle_is_gone_on_with(project: Project) -> None:
    batch = interrupt(project)
    with (batch / "events.jsonl").open("ab") as journal:
        journal.write(GARBAGE)

    project.check(batch)
    project.bring_to_end(batch)


def test_a_journal_that_is_gone_costs_no_result(project: Project) -> None:
    batch = interrupt(project)
    (batch / "events.jsonl").unlink()

    project.check(batch)
    project.bring_to_end(batch)


@pytest.mark.parametrize("content", list(DAMAGES.values()), ids=list(DAMAGES))
def test_a_state_that_was_destroyed_is_told_by_the_journal(project: Project, content: bytes) -> None:
    batch = interrupt(project)
    first, second = (run["id"] for run in project.status(batch)["runs"][:2])
    for run in (first, second):
        (batch / "runs" / run / "state.json").write_bytes(content)

    said = project.status(batch)
    project.resume(batch)

    assert said["runs"][0]["state"] in {"succeeded", "interrupted"}
    assert said["runs"][1]["state"] == "interrupted"
    said = project.status(batch)
    assert said["state"] == "succeeded"
    assert project.processes(batch) == {}
    assert not (project.tally / "twice").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x", "boot_id": 7}'])
def test_a_runner_json_that_was_destroyed_is_no_obstacle(project: Project, content: bytes) -> None:
    batch = interrupt(project)
    (batch / "runner.json").write_bytes(content)

    project.check(batch)
    project.bring_to_end(batch)


def test_a_manifest_that_was_destroyed_is_made_anew(project: Project) -> None:
    batch = interrupt(project)
    (batch / "manifest.json").write_bytes(b'{"files": [{"path')

    project.bring_to_end(batch)


def test_requests_that_are_garbage_are_passed_over(project: Project) -> None:
    batch = interrupt(project)
    (batch / "requests").mkdir(exist_ok=True)
    for number, content in enumerate(
        (b"", b"[]", b'{"action": 7}', b'{"action": "cancel", "runs": 7}', b"\xff")
    ):
        (batch / "requests" / f"{number}.json").write_bytes(content)

    project.bring_to_end(batch)

    assert list((batch / "requests").glob("*.json")) == []


def test_a_runner_zip_that_is_removed_is_brought_again(project: Project) -> None:
    batch = project.submit(project.job(runs=2, env={"NAP": "0.3"}))
    project.wait_for(batch, lambda: project.processes(batch))
    for path in (project.home / "runner").glob("*.pyz"):
        path.unlink()

    project.check_end(batch)
    project.check_end(project.submit(project.job()))


def test_a_work_folder_removed_under_a_run_costs_no_other_run(project: Project) -> None:
    batch = project.submit(project.job(runs=2, env={"NAP": "0.3"}))
    project.wait_for(batch, lambda: project.processes(batch))
    for folder in batch.glob("runs/*/work"):
        shutil.rmtree(folder, ignore_errors=True)

    project.settle(batch)
    project.check(batch)
    project.resume(batch, "--failed")
    assert project.check(batch)["state"] == "succeeded"


def test_a_snapshot_removed_under_a_batch_fails_its_runs_by_name(project: Project) -> None:
    batch = project.submit(project.job(runs=3, env={"PATIENT": "1"}))
    project.wait_for(batch, lambda: project.processes(batch))
    shutil.rmtree(batch / "code" / "job")
    (project.tally / "go").touch()

    project.settle(batch)

    last = project.check(batch)["runs"][-1]
    assert last["state"] == "failed"
    assert "data.txt" in last["reason"] or "step.sh" in last["reason"]


def test_a_batch_of_a_newer_launcher_is_refused_and_left_alone(project: Project) -> None:
    batch = project.submit(project.job())
    project.settle(batch)
    plan = json.loads((batch / "plan.json").read_bytes())
    (batch / "plan.json").write_text(json.dumps({**plan, "schema": 99, "launcher": "9.9"}))
    before = project.remember(batch)

    for command in (["status"], ["resume"], ["stop"], ["attach"], ["compare"], ["status", "--json"]):
        done = project.call(*command, batch.name, code=2)
        assert "launcher 9.9" in done.stderr
        assert done.stdout == ""

    assert project.remember(batch) == before
    assert project.runners() == set()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff"])
def test_a_plan_that_was_destroyed_is_told_and_harms_no_other_batch(project: Project, content: bytes) -> None:
    broken = project.submit(project.job())
    project.settle(broken)
    (broken / "plan.json").write_bytes(content)

    for command in ("status", "resume"):
        done = project.call(command, broken.name, code=2)
        assert "plan.json is damaged" in done.stderr

    project.check_end(project.submit(project.job()))
