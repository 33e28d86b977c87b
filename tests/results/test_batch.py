"""What a batch truly is, whatever its files say."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import UsageError
from launcher.results.batch import read_batch
from launcher.runner import names
from tests.batch_factory import BOOT, NOW, OTHER_BOOT, BatchFolder, Job, iso

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.results.records import BatchRecord

BATCH = "20261121-0213-brisk-otter"


@pytest.fixture
def batch(tmp_path: Path) -> BatchFolder:
    return BatchFolder(tmp_path / BATCH, [Job(repeats=3)])


def read(batch: BatchFolder, *, boot_id: str | None = BOOT) -> BatchRecord:
    return read_batch(batch.folder, now=NOW, boot_id=boot_id)


@contextmanager
def living_runner(batch: BatchFolder) -> Iterator[None]:
    with (batch.folder / "runner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_run_holds_what_plan_and_state_say(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / BATCH, [Job(variants=[{"lr": 0.1}, {"lr": 0.2}], repeats=2, folds=3)])
    batch.set_state(11, "failed", exit_code=1, attempt=2, reason="exit code 1", signal=None)

    run = read(batch).runs[11]

    assert (run.id, run.job, run.variant, run.repeat, run.fold, run.seed) == (
        "sonar-0011-00000001",
        "sonar",
        1,
        1,
        2,
        8,
    )
    assert run.params == {"lr": 0.2, "fold": 2, "folds": 3}
    assert (run.state, run.exit_code, run.signal, run.attempts, run.reason) == (
        "failed",
        1,
        None,
        2,
        "exit code 1",
    )
    assert run.ended_at == iso(NOW - timedelta(minutes=5))
    assert run.folder == batch.run_folder(11)


def test_a_batch_holds_what_its_plan_says(batch: BatchFolder) -> None:
    batch.plan |= {"slots": 2, "on": "local", "notes": ["mind the seed"]}
    batch.plan["jobs"][0] |= {"metric": "val_loss", "mode": "min", "after": ["first"]}
    batch.write_plan()

    record = read(batch)

    assert (record.id, record.on, record.slots, record.notes) == (BATCH, "local", 2, ("mind the seed",))
    assert record.created_at == iso(NOW - timedelta(hours=1))
    assert (record.jobs[0].metric, record.jobs[0].mode, record.jobs[0].after) == (
        "val_loss",
        "min",
        ("first",),
    )


def test_a_batch_started_with_its_first_run_and_ended_with_its_last(batch: BatchFolder) -> None:
    batch.set_state(0, "succeeded", started_at=iso(NOW), ended_at=iso(NOW + timedelta(seconds=5)))
    batch.set_state(1, "succeeded", started_at=iso(NOW - timedelta(seconds=1)), ended_at=iso(NOW))

    record = read(batch)

    assert record.started_at == iso(NOW - timedelta(seconds=1))
    assert record.ended_at == iso(NOW + timedelta(seconds=5))


def test_a_batch_without_a_run_has_no_times(tmp_path: Path) -> None:
    record = read(BatchFolder(tmp_path / BATCH, []))

    assert (record.state, record.started_at, record.ended_at) == ("succeeded", None, None)


# The state of a batch


@pytest.mark.parametrize(
    ("states", "has_runner", "is_alive", "expected"),
    [
        (["queued", "queued", "queued"], 0, 0, "queued"),
        (["queued", "queued", "queued"], 1, 0, "interrupted"),
        (["queued", "queued", "queued"], 1, 1, "queued"),
        (["running", "queued", "queued"], 1, 1, "running"),
        (["running", "queued", "queued"], 1, 0, "interrupted"),
        (["succeeded", "queued", "queued"], 1, 1, "running"),
        (["succeeded", "queued", "queued"], 1, 0, "interrupted"),
        (["succeeded", "queued", "queued"], 0, 0, "interrupted"),
        (["interrupted", "succeeded", "failed"], 1, 1, "running"),
        (["interrupted", "succeeded", "failed"], 1, 0, "interrupted"),
        (["failed", "cancelled", "succeeded"], 1, 0, "failed"),
        (["timed_out", "succeeded", "succeeded"], 1, 0, "failed"),
        (["stalled", "succeeded", "succeeded"], 1, 0, "failed"),
        (["cancelled", "succeeded", "succeeded"], 1, 0, "cancelled"),
        (["succeeded", "succeeded", "succeeded"], 1, 0, "succeeded"),
        (["succeeded", "succeeded", "succeeded"], 1, 1, "succeeded"),
    ],
)
def test_the_state_of_a_batch_follows_from_its_runs_and_its_runner(
    batch: BatchFolder, states: list[str], has_runner: int, is_alive: int, expected: str
) -> None:
    for run, state in enumerate(states):
        if state != "queued":
            batch.set_state(run, state)
    if has_runner:
        batch.set_runner()

    if is_alive:
        with living_runner(batch):
            found = read(batch).state
    else:
        found = read(batch).state

    assert found == expected


def test_a_batch_whose_runs_all_wait_for_another_try_has_started(batch: BatchFolder) -> None:
    for run in range(3):
        batch.set_state(run, "queued", attempt=1)
    batch.set_runner()

    with living_runner(batch):
        found = read(batch)

    assert found.state == "running"


# Whether the runner lives


def test_a_run_of_a_dead_runner_is_interrupted(batch: BatchFolder) -> None:
    batch.set_state(0, "running")
    batch.set_runner()

    record = read(batch)

    assert (record.runs[0].state, record.runs[0].reason) == ("interrupted", "its runner is gone")
    assert not record.runner.alive
    assert record.runner.started


def test_a_run_of_a_living_runner_runs(batch: BatchFolder) -> None:
    batch.set_state(0, "running")
    batch.set_runner(pid=77)

    with living_runner(batch):
        record = read(batch)

    assert (record.runs[0].state, record.runner.alive, record.runner.pid) == ("running", True, 77)
    assert record.runner.heartbeat_at == iso(NOW)


def test_a_run_without_any_runner_is_interrupted(batch: BatchFolder) -> None:
    batch.set_state(0, "running")

    record = read(batch)

    assert record.runs[0].state == "interrupted"
    assert not record.runner.started


@pytest.mark.parametrize(
    ("silent_s", "expected"),
    [(0, "running"), (119, "running"), (121, "interrupted"), (86_400, "interrupted"), (-3_600, "running")],
)
def test_elsewhere_the_heartbeat_tells_whether_the_runner_lives(
    batch: BatchFolder, silent_s: int, expected: str
) -> None:
    batch.set_state(0, "running")
    batch.set_runner(boot_id=OTHER_BOOT, heartbeat_at=NOW - timedelta(seconds=silent_s))

    assert read(batch).runs[0].state == expected


def test_a_lost_heartbeat_is_said_with_its_age(batch: BatchFolder) -> None:
    batch.set_state(0, "running")
    batch.set_runner(boot_id=OTHER_BOOT, heartbeat_at=NOW - timedelta(seconds=300))

    assert "silent for 300 s" in str(read(batch).runs[0].reason)


def test_a_new_runner_after_a_restart_lives_before_its_first_heartbeat(batch: BatchFolder) -> None:
    batch.set_state(0, "running")
    batch.set_runner(boot_id=OTHER_BOOT, heartbeat_at=NOW - timedelta(hours=9))

    with living_runner(batch):
        record = read(batch)

    assert record.runs[0].state == "running"


def test_an_unknown_boot_id_here_leaves_the_heartbeat(batch: BatchFolder) -> None:
    batch.set_state(0, "running")
    batch.set_runner(heartbeat_at=NOW)

    assert read(batch, boot_id=None).runs[0].state == "running"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"boot_id": 7}', b'{"pid": "x"}'])
def test_a_damaged_runner_file_is_no_sign_of_life(batch: BatchFolder, content: bytes) -> None:
    batch.set_state(0, "running")
    (batch.folder / "runner.json").write_bytes(content)

    record = read(batch)

    assert (record.state, record.runner.alive, record.runner.started) == ("interrupted", False, True)


def test_a_file_system_without_locks_has_no_living_runner(
    batch: BatchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    batch.set_runner()
    monkeypatch.setattr(fcntl, "flock", refuse)

    assert not read(batch).runner.alive


def test_looking_leaves_the_lock_free(batch: BatchFolder) -> None:
    batch.set_runner()

    read(batch)

    with (batch.folder / "runner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_runner_that_comes_while_states_are_read_is_seen(
    batch: BatchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.set_state(0, "running")
    batch.set_runner()
    with (batch.folder / "runner.lock").open("w") as lock:

        def start_and_list(path: str) -> Any:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return scandir(path)

        scandir = os.scandir
        monkeypatch.setattr(os, "scandir", start_and_list)

        record = read(batch)

    assert record.runs[0].state == "running"


# Damage


GARBAGE = [
    b"",
    b'{"state": "succ',
    b"\x00\xff\xfe garbage",
    b"[]",
    b"null",
    b'{"state": "finished"}',
    b'{"state": ["succeeded"]}',
    b"[" * 100_000,
    b'{"state": "succeeded", "exit_code": 1' + b"1" * 5000 + b"}",
]


@pytest.mark.parametrize("content", GARBAGE)
def test_a_damaged_state_is_taken_from_the_journal(batch: BatchFolder, content: bytes) -> None:
    folder = batch.run_folder(0)
    (folder / "state.json").write_bytes(content)
    ended = {"state": "failed", "exit_code": 3, "signal": None, "reason": "exit code 3", "files": {}}
    batch.add_events(
        {"event": "started", "run": batch.ids[0], "attempt": 2, "pid": 1, "pid_started": "1"},
        {"event": "ended", "run": batch.ids[0], "attempt": 2, **ended},
        tail='{"at": "2026-11-21T02:13:00+00:00", "event": "ended", "run": "' + batch.ids[0],
    )

    run = read(batch).runs[0]

    assert (run.state, run.exit_code, run.reason, run.attempts) == ("failed", 3, "exit code 3", 2)
    assert (run.started_at, run.ended_at) == (iso(NOW), iso(NOW))


@pytest.mark.parametrize("content", GARBAGE)
def test_a_damaged_state_that_no_journal_knows_is_interrupted(batch: BatchFolder, content: bytes) -> None:
    (batch.run_folder(0) / "state.json").write_bytes(content)

    run = read(batch).runs[0]

    assert (run.state, run.reason) == ("interrupted", "its state.json is damaged")


def test_a_run_folder_without_a_state_has_not_started(batch: BatchFolder) -> None:
    batch.run_folder(0)

    assert read(batch).runs[0].state == "queued"


@pytest.mark.parametrize(
    ("events", "state", "attempts"),
    [
        ([{"event": "started", "attempt": 1}], "interrupted", 1),
        ([{"event": "started", "attempt": 2}, {"event": "requeued"}], "queued", 2),
        ([{"event": "ended", "state": "succeeded", "attempt": 1}, {"event": "noticed"}], "succeeded", 1),
        ([{"event": "ended", "state": "no such state"}], "queued", 0),
        ([{"event": 7}], "queued", 0),
    ],
)
def test_a_lost_state_is_what_the_journal_says_last(
    batch: BatchFolder, events: list[dict[str, Any]], state: str, attempts: int
) -> None:
    batch.run_folder(0)
    batch.add_events(*({**event, "run": batch.ids[0]} for event in events))

    run = read(batch).runs[0]

    assert (run.state, run.attempts) == (state, attempts)


def test_unreadable_lines_of_the_journal_are_passed_over(batch: BatchFolder) -> None:
    batch.run_folder(0)
    event = {"event": "ended", "state": "succeeded", "run": batch.ids[0], "attempt": 1}
    lines = [b"\xff\xff", b"[1]", b"{", b'{"run": 5}', b"", json.dumps(event).encode(), b'{"event"']
    (batch.folder / "events.jsonl").write_bytes(b"\n".join(lines))

    assert read(batch).runs[0].state == "succeeded"


def test_a_state_that_is_a_pipe_or_a_folder_does_not_hang(batch: BatchFolder) -> None:
    os.mkfifo(batch.run_folder(0) / "state.json")
    (batch.run_folder(1) / "state.json").mkdir()

    record = read(batch)

    assert [run.state for run in record.runs] == ["interrupted", "queued", "queued"]


def test_a_state_of_wrong_types_keeps_what_is_right(batch: BatchFolder) -> None:
    wrong: dict[str, Any] = {
        "exit_code": "1",
        "signal": [9],
        "attempt": True,
        "started_at": 5,
        "ended_at": {},
        "reason": 7,
    }
    batch.set_state(0, "failed", **wrong)

    run = read(batch).runs[0]

    assert run.state == "failed"
    assert (run.exit_code, run.signal, run.attempts, run.started_at, run.ended_at, run.reason) == (
        None,
        None,
        0,
        None,
        None,
        None,
    )


def test_a_state_is_read_up_to_a_megabyte(batch: BatchFolder) -> None:
    (batch.run_folder(0) / "state.json").write_bytes(b'{"state": "succeeded"}' + b" " * (1 << 21))

    assert read(batch).runs[0].state == "succeeded"

    (batch.run_folder(0) / "state.json").write_bytes(b" " * (1 << 21) + b'{"state": "succeeded"}')

    assert read(batch).runs[0].state == "interrupted"


@pytest.mark.parametrize("name", ["a'; echo b", "line\nfeed", "-rf", "日本語 🦦", "x" * 180])
def test_hostile_folder_names_are_only_names(tmp_path: Path, name: str) -> None:
    batch = BatchFolder(tmp_path / name, [Job()])
    batch.set_all("succeeded")

    assert (read(batch).id, read(batch).state) == (name, "succeeded")


# The plan


def test_a_newer_schema_is_refused_with_both_versions(batch: BatchFolder) -> None:
    batch.plan |= {"schema": names.SCHEMA + 1, "launcher": "9.0"}
    batch.write_plan()

    with pytest.raises(UsageError, match=r"launcher 9\.0 \(schema 2\)") as caught:
        read(batch)

    assert caught.value.exit_code == 2
    assert "newer" in caught.value.todo


def test_an_older_schema_is_read(batch: BatchFolder) -> None:
    job = {"name": "sonar", "variants": [{}]}
    old = {"schema": 0, "jobs": [job], "runs": [{"id": "sonar-0000-0", "job": 0, "variant": 0}]}
    (batch.folder / "plan.json").write_text(json.dumps(old))

    record = read(batch)

    assert (record.on, record.slots, record.runs[0].seed, record.jobs[0].repeats) == ("local", None, None, 1)


@pytest.mark.parametrize(
    "plan",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"{}",
        b'{"jobs": [], "runs": 7}',
        b'{"schema": "new", "jobs": [], "runs": []}',
        b'{"jobs": [{}], "runs": []}',
        b'{"jobs": ["x"], "runs": []}',
        b'{"jobs": [{"name": "a", "variants": ["x"]}], "runs": []}',
        b'{"jobs": [{"name": "a", "variants": [{}]}], "runs": [{"id": "r", "job": 5, "variant": 0}]}',
        b'{"jobs": [{"name": "a", "variants": [{}]}], "runs": [{"id": "r", "job": 0}]}',
        b'{"jobs": [{"name": "a", "variants": [{}]}], "runs": [["r"]]}',
        b'{"jobs": [{"name": "a", "variants": [{}]}], "runs": [{"id": ["r"], "job": 0, "variant": 0}]}',
        b'{"jobs": [{"name": "a", "variants": [{}]}], "runs": [], "skipped": [{"id": "b"}]}',
    ],
)
def test_a_damaged_plan_is_one_clear_error(batch: BatchFolder, plan: bytes) -> None:
    (batch.folder / "plan.json").write_bytes(plan)

    with pytest.raises(UsageError, match=r"plan\.json is damaged"):
        read(batch)


def test_a_folder_without_a_plan_is_no_batch(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no batch"):
        read_batch(tmp_path, now=NOW, boot_id=BOOT)


def test_skipped_runs_are_found_in_their_earlier_batch(tmp_path: Path) -> None:
    job = Job(name="a-b", variants=[{"lr": 1}, {"lr": 2}], repeats=2, folds=2)
    skipped = {
        "id": "a-b-0007-00000001",
        "content": "c",
        "batch": "20261120-0000-old-hen",
        "run": "a-b-0003-9",
    }
    batch = BatchFolder(tmp_path / BATCH, [job, Job()], skipped=[skipped])

    run = read(batch).skipped[0]

    assert (run.job, run.variant, run.repeat, run.fold, run.seed) == ("a-b", 1, 1, 1, 8)
    assert run.params == {"lr": 2, "fold": 1, "folds": 2}
    assert run.state == "succeeded"
    assert run.folder == tmp_path / "20261120-0000-old-hen" / "runs" / "a-b-0003-9"


def test_skipped_runs_never_lie_outside_the_home(tmp_path: Path) -> None:
    skipped = {"id": "sonar-0000-0", "content": "c", "batch": "../../etc", "run": "/etc/passwd"}
    batch = BatchFolder(tmp_path / BATCH, [Job(seed=None)], skipped=[skipped])

    run = read(batch).skipped[0]

    assert (run.folder, run.seed, run.fold) == (tmp_path / "etc" / "runs" / "passwd", None, None)
