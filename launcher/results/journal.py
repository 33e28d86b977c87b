"""Read events.jsonl: its events, the states of runs whose state.json is lost, and why runs were not warm.

Unreadable lines, as a torn last one, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.results.files import parse_object, read_bytes
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_events(batch: str, *, naming: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the events whose lines hold `naming`; what holds none of them costs no more than being read."""
    data = read_bytes(f"{batch}/{names.EVENTS}") or b""
    for line in data.split(b"\n") if naming in data else ():
        event = parse_object(line) if line and naming in line else None
        if event is not None:
            yield event


def read_journal(batch: str) -> dict[str, dict[str, Any]]:
    """Return the last known state of every run that the journal names, in the form of state.json."""
    states: dict[str, dict[str, Any]] = {}
    for event in read_events(batch):
        if isinstance(run := event.get("run"), str):
            _take(states, run, event)
    return states


def read_cold(batch: str) -> list[str]:
    """Return the reasons, each once, why runs started afresh that were to start from a warm worker."""
    events = read_events(batch, naming=b'"no_worker"')
    reasons = [event.get("reason") for event in events if event.get("event") == "no_worker"]
    return list(dict.fromkeys(reason for reason in reasons if isinstance(reason, str)))


def _take(states: dict[str, dict[str, Any]], run: str, event: dict[str, Any]) -> None:
    before = states.get(run, {})
    match event.get("event"):
        case "started":
            states[run] = {
                "state": names.RUNNING,
                "attempt": event.get("attempt"),
                "started_at": event.get("at"),
            }
        case "ended" if event.get("state") in names.STATES:
            kept = {key: event.get(key) for key in ("state", "exit_code", "signal", "reason")}
            attempt = event.get("attempt", before.get("attempt"))
            states[run] = {**before, **kept, "attempt": attempt, "ended_at": event.get("at")}
        case "requeued":
            states[run] = {"state": names.QUEUED, "attempt": before.get("attempt")}
        case _:
            pass
