"""Which machines a batch has had: `place.json` beside its plan. Knows no AWS and no SSH.

Written when a machine is there and again when it is gone, each time on disk before anything else happens.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.errors import UsageError
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HOUR_S = 3600.0


class Rented(NamedTuple):
    """A machine, as long as it is ours and afterwards.

    Attributes:
        usd_per_hour: list price of machine, disk and address.
        launched_at, expires_at, ended_at: UTC, ISO 8601; expires_at is the deadline, ended_at None as long as
            it was not seen to be gone.
        volume: its disk; empty where that is gone too.
        attempt: the token of its launch, which its disk bears as well.
        key: the name of its keys in `.launcher/keys`.
        is_shared: whether it served another batch before, which then paid for its launch.
    """

    machine: str
    region: str
    zone: str
    type: str
    market: str
    usd_per_hour: float
    launched_at: str
    expires_at: str
    address: str
    volume: str
    key: str
    environment: str = ""
    attempt: str = ""
    is_shared: bool = False
    ended_at: str | None = None

    def cost_usd(self, now: datetime) -> float:
        """Return what it has cost so far: list price times seconds."""
        until = datetime.fromisoformat(self.ended_at) if self.ended_at else now
        lived_s = (until - datetime.fromisoformat(self.launched_at)).total_seconds()
        return max(0.0, lived_s) / _HOUR_S * self.usd_per_hour


class Place(NamedTuple):
    """The machines of a batch, the present one last."""

    machines: tuple[Rented, ...] = ()

    @property
    def current(self) -> Rented | None:
        """The machine that it has now; None where the last one was seen to be gone."""
        last = self.machines[-1] if self.machines else None
        return None if last is None or last.ended_at else last

    @property
    def last(self) -> Rented | None:
        """The machine that it had last, whether it is there or not."""
        return self.machines[-1] if self.machines else None

    def cost_usd(self, now: datetime) -> float:
        """Return what all machines have cost so far."""
        return sum(machine.cost_usd(now) for machine in self.machines)

    def plus(self, machine: Rented) -> Place:
        """Return the place with one more machine."""
        return Place((*self.machines, machine))

    def changed(self, machine_id: str, **values: Any) -> Place:
        """Return the place with other values of a machine."""
        return Place(
            tuple(each._replace(**values) if each.machine == machine_id else each for each in self.machines)
        )


def read_place(batch: Path) -> Place | None:
    """Return where a batch runs; None where that is not EC2.

    Raises:
        UsageError: the file is damaged.
    """
    try:
        values = json.loads((batch / names.PLACE).read_bytes())
        return Place(tuple(Rented(**each) for each in values["machines"])) if values["on"] == "ec2" else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{batch / names.PLACE} is damaged: {error}.",
            "launcher ps shows machines by their tags all the same.",
        ) from error


def place_json(machines: Sequence[Rented]) -> bytes:
    """Return the content of the file."""
    return json.dumps({"on": "ec2", "machines": [each._asdict() for each in machines]}, indent=1).encode()
