"""Read events.jsonl for runs whose state.json is lost. Unreadable lines, as a torn last one, are left out."""

from __future__ import annotations

from typing import Any

from launcher.results.files import parse_object, read_bytes
from launcher.runner import names


def read_journal(batch: str) -> dict[str, dict[str, Any]]:
    """Return the last known state of every run that the journal names, in the form of state.json."""
    states: dict[str, dict[str, Any]] = {}
    for line in (read_bytes(f"{batch}/{names.EVENTS}") or b"").split(b"\n"):
        event = parse_object(line) if line else None
        if event is not None and isinstance(run := event.get("run"), str):
            _take(states, run, event)
    return states


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
