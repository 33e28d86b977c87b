"""limits.batch, and time that was bought: the batch ends in order, and what did not run says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from launcher.runner.batch import Batch
from launcher.runner.deadline import Deadline
from launcher.runner.disk import Journal
from tests.runner.kit import Job

if TYPE_CHECKING:
    from tests.runner.kit import Frozen, Home

SLOW = (
    "trap 'echo asked; kill $! 2> /dev/null; exit 0' TERM; "
    'touch "$LAUNCHER_OUTPUT/began"; while :; do sleep 600 & wait; done'  # its sleep may be told to end first
)


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def bought(batch: Frozen, **content: Any) -> None:
    (batch.folder / "limits.json").write_text(json.dumps(content))


def test_at_the_limit_what_runs_ends_with_grace_and_what_waits_is_cancelled(home: Home) -> None:
    batch = home.freeze(Job(SLOW, runs=3, retries=2), limits={"batch_s": 5.0, "usd": None})

    batch.run(grace_s=30.0)

    reason = "limits.batch: the batch took longer than its limit of 5 s"
    assert [(batch.state(run)["state"], batch.reason(run)) for run in range(3)] == [("cancelled", reason)] * 3
    assert batch.log() == b"asked\n"
    assert [batch.state(run)["attempt"] for run in range(3)] == [1, 0, 0]


def test_a_batch_within_its_limits_runs_to_its_end(home: Home) -> None:
    batch = home.freeze(Job(runs=2), limits={"batch_s": 600.0, "usd": None})
    bought(batch, ends_at=at(600))

    batch.run()

    assert batch.states() == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "the time that was bought is over"),
        ({"reason": "limits.usd of $12.00 is spent"}, "limits.usd of $12.00 is spent"),
    ],
)
def test_where_no_time_is_left_nothing_begins(home: Home, content: dict[str, str], reason: str) -> None:
    batch = home.freeze(Job(runs=2))
    bought(batch, ends_at=at(-1), **content)

    batch.run()

    assert [(batch.state(run)["state"], batch.reason(run)) for run in range(2)] == [("cancelled", reason)] * 2
    assert batch.started() == []


@pytest.mark.parametrize("content", [{}, {"ends_at": "soon"}, {"ends_at": "2026-11-25T12:00:00"}])
def test_limits_that_nobody_can_read_do_not_count_and_are_told(home: Home, content: dict[str, str]) -> None:
    batch = home.freeze()
    bought(batch, **content)

    assert batch.start().wait(60) == 0

    assert batch.states() == ["succeeded"]
    assert batch.complaints() == "limits.json has no readable ends_at, so it does not count\n"


def test_the_next_runner_goes_on_counting_and_a_resume_counts_anew(home: Home) -> None:
    batch = home.freeze(Job(SLOW), limits={"batch_s": 3600.0, "usd": None})
    (batch.folder / "events.jsonl").write_text(json.dumps({"event": "clock_started", "at": at(-3600)}) + "\n")
    batch.run()
    assert batch.states() == ["cancelled"]
    assert batch.started() == []
    batch.request("resume")
    runner = batch.start()
    batch.wait_for_file("outputs/began")

    runner.terminate()

    assert runner.wait(60) == 0
    assert batch.states() == ["interrupted"]
    assert len(batch.events("clock_started")) == 2


def test_a_beginning_that_nobody_can_read_is_now(home: Home) -> None:
    frozen = home.freeze(limits={"batch_s": 60.0, "usd": None})
    (frozen.folder / "events.jsonl").write_text('{"event":"clock_started"}\n')
    seconds = iter([0.0, 59.0, 60.0])
    journal = Journal(str(frozen.folder / "events.jsonl"))
    deadline = Deadline(Batch(str(frozen.folder)), journal, clock=lambda: next(seconds))

    deadline.start()

    assert deadline.find_reason() is None
    assert deadline.find_reason() is not None
    journal.close()


def test_without_limits_nothing_is_counted(home: Home) -> None:
    batch = home.freeze()

    batch.run()

    assert batch.events("clock_started") == []


def test_a_fit_that_stopped_early_is_a_success_with_a_reason(home: Home) -> None:
    said = """echo '{"state": "succeeded", "reason": "stopped early"}' > ../verdict.json; exit """
    batch = home.freeze(Job(said + "0", name="good"), Job(said + "3", name="bad"))

    batch.run()

    assert [(batch.state(run)["state"], batch.reason(run)) for run in range(2)] == [
        ("succeeded", "stopped early"),
        ("failed", "exit code 3"),
    ]
