"""The account's own switches, over HTTP, for tests that reach it in another process."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.fake_ec2.faults import fault_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_ec2.answers import Answer
    from tests.fake_ec2.call import Call
    from tests.fake_ec2.server import FakeEc2

PREFIX = "/__fake__/"


def answer(fake: FakeEc2, path: str, body: bytes) -> Answer:
    """Do what a request to the switches says."""
    given = json.loads(body or b"{}")
    with fake.lock:
        said = _turn(fake, path.removeprefix(PREFIX), given)
    return 200, "application/json", json.dumps(said).encode()


def _turn(fake: FakeEc2, switch: str, given: dict[str, Any]) -> Any:
    switches: dict[str, Callable[[], object]] = {
        "fault": lambda: fake.faults.add(fault_from(given)),
        "timing": lambda: _set(fake.timing, given),
        "supply": lambda: _set(fake.supply, given),
        "gate": lambda: _set(fake.gate, given),
        "deny": lambda: fake.gate.denied.update(given["actions"]),
        "advance": lambda: fake.advance(float(given["seconds"])),
        "power-off": lambda: fake.power_off(given["id"]),
        "reset": fake.reset,
        "instances": lambda: [{"id": each.id, "state": each._state.name} for each in fake.instances()],
        "calls": lambda: [_plain(call) for call in fake.calls],
    }
    return switches[switch]()


def _set(what: object, given: dict[str, Any]) -> None:
    for name, value in given.items():
        setattr(what, name, value)


def _plain(call: Call) -> dict[str, Any]:
    return {key: value for key, value in asdict(call).items() if key not in ("body", "signed_at")}
