"""What home does for a batch on a rented machine, beside fetching: have it wait, ask after it, end it.

A machine that is silent is asked after at AWS once a minute at most: all night long, that is what following
costs. It is ended only when everything that it made is at home, and nobody else needs it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from launcher.aws import machines
from launcher.errors import AwsError, AwsMissingError, HostKeyError, MachineGoneError
from launcher.results.place import Place, Rented, read_place
from launcher.targets.ec2 import write_place
from launcher.targets.ec2_keys import remove_keys
from launcher.targets.ec2_open import renew_lease
from launcher.targets.ec2_rent import end
from launcher.targets.ec2_reuse import others_on

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.errors import NodeError
    from launcher.nodes.ssh_connection import Connection
    from launcher.targets.ec2_rent import Terms

_EVERY_S = 60.0
_SPOT = "SpotInstance"
_HOUR_S = 3600.0


class Attendance:
    """Home, as a machine sees it.

    Args:
        rented: the machine.
        terms: how it was rented.
    """

    def __init__(self, rented: Rented, terms: Terms) -> None:
        self._rented, self._terms = rented, terms
        self._renew_at = self._ask_at = terms.clock()

    def renew(self, connection: Connection) -> None:
        """Say now and then that home is there, so that a machine that is done waits for us."""
        if self._terms.clock() >= self._renew_at:
            self._renew_at = self._terms.clock() + _EVERY_S
            renew_lease(connection, self._terms.keep_s)

    def ask_after(self, error: NodeError) -> None:
        """Ask AWS now and then what became of a machine that does not answer.

        Args:
            error: why it is asked after. Where somebody else answered, that is done at once: a machine that
                is gone leaves its address to others.

        Raises:
            MachineGoneError: it is gone, or about to be.
        """
        if self._terms.clock() < self._ask_at and not isinstance(error, HostKeyError):
            return
        self._ask_at = self._terms.clock() + _EVERY_S
        try:
            found = machines.describe(self._terms.cloud_of(self._rented.region), self._rented.machine)
        except AwsMissingError:
            raise _gone(self._rented, "AWS does not know it any more") from None
        except AwsError as unknown:
            self._terms.tell(f"{unknown.what} The machine ends itself at {self._rented.expires_at}.")
            return
        if found.state not in {machines.PENDING, machines.RUNNING}:
            raise _gone(self._rented, found.reason or found.state)


def end_night(batch: Path, terms: Terms) -> str:
    """End the machine of a batch that is over and at home; leave one that others need, or that is to be kept.

    Returns:
        the last line of a night: what became of the machine, and what it cost.

    Raises:
        NoMachineError: it may still be there.
    """
    place = read_place(batch) or Place()
    rented = place.current
    if rented is None:
        return _cost(batch, place, terms, "no machine is left")
    if others := others_on(terms.home, rented.machine, batch=batch.name):
        place = place.changed(rented.machine, ended_at=_now(terms), volume="")
        what = f"{rented.machine} goes on with {others[0].name}"
    elif terms.keeps:
        what = (
            f"{rented.machine} waits {terms.keep_s / 60:.0f} min for the next batch, "
            f"at ${rented.usd_per_hour:.2f} an hour (end it now: launcher reap --yes)"
        )
    else:
        ended = end(rented, terms, keep_disk=False)
        place = place.changed(rented.machine, ended_at=ended.ended_at, volume="")
        remove_keys(terms.home, rented.key)
        what = f"{rented.machine} is gone, and its disk"
    write_place(batch, place)
    return _cost(batch, place, terms, what)


def _cost(batch: Path, place: Place, terms: Terms, what: str) -> str:
    lived_s = sum(_lived_s(each, terms.now()) for each in place.machines)
    usd = place.cost_usd(terms.now())
    return f"{what}; {batch.name} cost ${usd:.2f}: list price times {lived_s / _HOUR_S:.2f} h"


def _lived_s(rented: Rented, now: datetime) -> float:
    until = datetime.fromisoformat(rented.ended_at) if rented.ended_at else now
    return (until - datetime.fromisoformat(rented.launched_at)).total_seconds()


def _now(terms: Terms) -> str:
    return terms.now().isoformat(timespec="seconds")


def _gone(rented: Rented, why: str) -> MachineGoneError:
    is_spot = rented.market == "spot" and _SPOT in why.replace(" ", "")
    return MachineGoneError(
        f"{rented.machine} is gone: {why.rstrip('.')}.",
        "Bring home what is on its disk: launcher recover",
        is_spot=is_spot,
    )
