"""What the deadman decides, as a table: the clock is a number here."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.machine.decide import Decision, Facts, Seen, decide

LOST_S = 120.0
WAIT = Decision(end=None, start=(), is_busy=False)


def facts(*batches: Seen, **changes: Any) -> Facts:
    """Return a machine an hour old with eight to go, whose lease runs, and nothing to do."""
    usual = Facts(
        now=10_000.0,
        deadline_at=38_800.0,
        lived_s=3_600.0,
        granted_s=32_400.0,
        lease_until=10_060.0,
        lease_s=900.0,
        busy_at_s=0.0,
        asked=None,
        interrupted=False,
        batches=batches,
    )
    return usual._replace(**changes)


def batch(**changes: Any) -> Seen:
    """Return a batch at work."""
    return Seen("otter", is_open=True, silent_s=5.0, is_same_boot=True, can_start=True)._replace(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"now": 38_799.9}, None),
        ({"now": 38_800.0}, "the deadline"),
        ({"now": 1e12}, "the deadline"),
        ({"lived_s": 32_400.0}, "the deadline"),
        ({"now": -1e12, "lived_s": 32_400.0}, "the deadline"),
        ({"asked": "all done"}, "asked for: all done"),
        ({"asked": ""}, "asked for: "),
        ({"now": 38_800.0, "asked": "all done"}, "the deadline"),
    ],
)
def test_the_deadline_holds_whatever_is_at_work(changes: dict[str, Any], reason: str | None) -> None:
    assert decide(facts(batch(), **changes), lost_s=LOST_S).end == reason


def test_work_and_a_heartbeat_outlast_every_lease() -> None:
    decision = decide(facts(batch(silent_s=299.0), lease_until=0.0, lease_s=0.0), lost_s=1e9)

    assert decision == Decision(end=None, start=(), is_busy=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lease_until": 10_000.1}, None),
        ({"lease_until": 10_000.0}, "the lease is over"),
        ({"lease_until": 0.0, "busy_at_s": 2_700.1}, None),
        ({"lease_until": 0.0, "busy_at_s": 2_700.0}, "the lease is over"),
    ],
)
def test_with_nothing_to_do_the_lease_counts_from_the_last_work_and_the_last_word(
    changes: dict[str, Any], reason: str | None
) -> None:
    done = batch(is_open=False, silent_s=0.0)

    assert decide(facts(**changes), lost_s=LOST_S).end == reason
    assert decide(facts(done, **changes), lost_s=LOST_S).end == reason


def test_a_lease_of_nothing_ends_an_idle_machine_at_once() -> None:
    assert decide(facts(lease_until=0.0, lease_s=0.0, busy_at_s=3_600.0), lost_s=LOST_S).end


def test_a_queue_whose_runner_stays_silent_is_no_reason_to_live() -> None:
    silent = batch(silent_s=300.0, can_start=False)

    assert decide(facts(silent, lease_until=0.0), lost_s=LOST_S).end == "the lease is over"
    assert decide(facts(silent, lease_until=0.0, lease_s=0.0, busy_at_s=3_301.0), lost_s=LOST_S).end is None


@pytest.mark.parametrize(
    ("changes", "is_started"),
    [
        ({"silent_s": 119.9}, False),
        ({"silent_s": 120.0}, True),
        ({"is_same_boot": False}, True),
        ({"silent_s": 120.0, "is_open": False}, False),
        ({"silent_s": 120.0, "can_start": False}, False),
    ],
)
def test_a_dead_runner_with_work_left_is_started_again(changes: dict[str, Any], is_started: bool) -> None:  # noqa: FBT001
    assert decide(facts(batch(**changes)), lost_s=LOST_S).start == (("otter",) if is_started else ())


def test_nothing_is_started_on_a_machine_that_ends_or_is_taken_away() -> None:
    lost = batch(silent_s=200.0)

    assert decide(facts(lost, asked="enough"), lost_s=LOST_S).start == ()
    assert decide(facts(lost, interrupted=True), lost_s=LOST_S).start == ()


def test_each_batch_is_judged_by_itself() -> None:
    seen = (batch(name="ant", silent_s=500.0), batch(name="bee"), batch(name="cat", is_open=False))

    assert decide(facts(*seen), lost_s=LOST_S) == Decision(end=None, start=("ant",), is_busy=True)
