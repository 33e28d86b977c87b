"""Which of the machines that this project has already may take a batch. Reads files and AWS; changes nothing.

A machine's deadline is never moved, so it must leave room for all that the batch may take; behind another
batch the wait counts in that, too.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from launcher.aws import machines
from launcher.errors import AwsError, UsageError
from launcher.results.batch import read_batch
from launcher.results.place import read_place
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.results.place import Rented
    from launcher.targets.ec2_rent import Terms, Wanted


def find_reusable(wanted: Wanted, terms: Terms) -> Rented | None:
    """Return a machine that fits, an idle one before a busy one; None where there is none."""
    fitting = [
        each for each in _present(terms.home) if _fits(each, wanted) and _has_room(each, wanted, terms)
    ]
    by_load = sorted(fitting, key=lambda each: len(others_on(terms.home, each.machine, batch=wanted.batch)))
    return next((each for each in by_load if _is_up(each, terms)), None)


def others_on(home: Path, machine: str, *, batch: str) -> tuple[Path, ...]:
    """Return the other batches that have a machine and are not done with it."""
    return tuple(
        folder
        for folder, rented in _all_present(home)
        if rented.machine == machine and folder.name != batch and _is_open(folder)
    )


def holders_of(home: Path, machine: str) -> tuple[Path, ...]:
    """Return the batches that have a machine, done or not."""
    return tuple(folder for folder, rented in _all_present(home) if rented.machine == machine)


def _present(home: Path) -> Iterator[Rented]:
    seen: set[str] = set()
    for _, rented in _all_present(home):
        if rented.machine not in seen:
            seen.add(rented.machine)
            yield rented


def _all_present(home: Path) -> Iterator[tuple[Path, Rented]]:
    for folder in sorted((home / names.BATCHES).glob("*")):
        try:
            place = read_place(folder)
        except UsageError:
            continue
        if place and place.current:
            yield folder, place.current


def _fits(rented: Rented, wanted: Wanted) -> bool:
    kinds = {(offer.type, offer.market, offer.region) for offer in wanted.offers}
    return (rented.type, rented.market, rented.region) in kinds and rented.environment == wanted.environment


def _has_room(rented: Rented, wanted: Wanted, terms: Terms) -> bool:
    offer = next(offer for offer in wanted.offers if offer.type == rented.type)
    until = terms.now() + timedelta(seconds=wanted.life_s(offer))
    return until <= datetime.fromisoformat(rented.expires_at)


def _is_up(rented: Rented, terms: Terms) -> bool:
    try:
        return machines.describe(terms.cloud_of(rented.region), rented.machine).state == machines.RUNNING
    except AwsError:
        return False


def _is_open(folder: Path) -> bool:
    record = read_batch(folder, now=datetime.now().astimezone(), boot_id=None)
    return any(run.state in names.OPEN | {names.INTERRUPTED} for run in record.runs)


def share(rented: Rented, *, now: datetime) -> Rented:
    """Return a machine as a further batch has it: what it cost before is not this batch's."""
    return rented._replace(is_shared=True, launched_at=now.isoformat(timespec="seconds"))
