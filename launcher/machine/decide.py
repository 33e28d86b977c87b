"""What the deadman does next, from what it sees. Pure: no clock, no file, no signal."""

from __future__ import annotations

from typing import NamedTuple

DEADLINE = "the deadline"
FRESH_S = 300.0  # a heartbeat younger than this, and work to do: only the deadline counts


class Seen(NamedTuple):
    """What was seen of one batch, all of it written by the user that runs execute as: it may be lies.

    `silent_s` is the time since its runner's last heartbeat, or since it was to be started first.
    """

    name: str
    is_open: bool
    silent_s: float
    is_same_boot: bool
    can_start: bool


class Facts(NamedTuple):
    """What is true at a tick.

    Times named `_at` are epoch seconds of a clock that may be wrong; `lived_s` and `busy_at_s` count the
    seconds that the machine has been up since it was armed, which nobody can set.
    """

    now: float
    deadline_at: float
    lived_s: float
    granted_s: float
    lease_until: float
    lease_s: float
    busy_at_s: float
    asked: str | None
    interrupted: bool
    batches: tuple[Seen, ...]


class Decision(NamedTuple):
    """Power off for this reason, or start these runners; `is_busy` where only the deadline counts."""

    end: str | None
    start: tuple[str, ...]
    is_busy: bool


def decide(facts: Facts, *, lost_s: float) -> Decision:
    """Return what to do.

    Args:
        lost_s: a runner that was silent for so long is dead.
    """
    is_open = any(batch.is_open for batch in facts.batches)
    is_busy = any(batch.is_open and batch.silent_s < FRESH_S for batch in facts.batches)
    reason = _why_end(facts, is_open=is_open, is_busy=is_busy)
    lost = tuple(batch.name for batch in facts.batches if _is_lost(batch, lost_s))
    return Decision(reason, () if reason or facts.interrupted else lost, is_busy)


def _why_end(facts: Facts, *, is_open: bool, is_busy: bool) -> str | None:
    if facts.now >= facts.deadline_at or facts.lived_s >= facts.granted_s:
        return DEADLINE
    if facts.asked is not None:
        return f"asked for: {facts.asked}"
    # A runner that is started again after a reboot gets the time that its first heartbeat takes.
    patience_s = max(facts.lease_s, FRESH_S) if is_open else facts.lease_s
    lease_is_over = facts.now >= facts.lease_until and facts.lived_s >= facts.busy_at_s + patience_s
    return "the lease is over" if lease_is_over and not is_busy else None


def _is_lost(batch: Seen, lost_s: float) -> bool:
    return batch.is_open and batch.can_start and (batch.silent_s >= lost_s or not batch.is_same_boot)
