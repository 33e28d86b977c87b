"""Machines of EC2 as a target: rent one or take one that is there, make it ready; give it back on failure.

Once a batch is in its runner's hands, leaving ends nothing: the machine works on and carries its own end.
Whoever comes home for the results ends it, see launcher/attend.py.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from launcher.aws.catalogue import machine_types
from launcher.aws.images import find_image
from launcher.aws.intent import write_whole
from launcher.errors import HostKeyError, NodeError, NoMachineError, SshError
from launcher.plan.ceiling import GRACE_S
from launcher.results.place import Place, place_json, read_place
from launcher.results.plan_file import read_environments, read_plan
from launcher.runner import names
from launcher.targets.ec2_bucket import start_uploads
from launcher.targets.ec2_fleet import find_fleet
from launcher.targets.ec2_open import bring_programs, has_environments, open_new, settle
from launcher.targets.ec2_rent import Wanted, end, rent
from launcher.targets.ec2_reuse import find_reusable, holders_of, others_on, share
from launcher.targets.ready import check_gpus
from launcher.targets.stack import read_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.plan.values import Fleet, MachineNeeds, Offer
    from launcher.results.place import Rented
    from launcher.targets.ec2_fleet import Market
    from launcher.targets.ec2_rent import Terms

LIMITS = "limits.json"


class Ec2Target:
    """Machines that are rented for a batch.

    Args:
        market: where to look for offers.
        terms: how to rent.
        bucket: where machines put copies of their results.
    """

    name = "ec2"

    def __init__(self, market: Market, terms: Terms, *, bucket: str | None = None) -> None:
        self._market, self._bucket = market, bucket
        self.terms = terms

    @property
    def stack(self) -> bytes:
        """What jobs that name no environment need installed."""
        return read_stack()

    def fleet(self, needs: MachineNeeds) -> Fleet:
        """Return what could be rented; buys nothing, and works offline from a table."""
        return find_fleet(needs, self._market)

    @contextmanager
    def acquire(self, batch: Path, *, offers: Sequence[Offer]) -> Iterator[Node]:
        """Give a machine that carries its own end and is ready for a batch.

        Where anything fails before it is left, the machine is ended again and seen to be gone.

        Raises:
            NoMachineError: none could be had, or one may still be there; the error says which.
            NodeError: it is not as it should be.
        """
        rented = self._get(wanted_for(batch, offers, terms=self.terms), batch)
        try:
            with open_new(rented, self.terms) as (connection, node):
                settle(connection, rented, self.terms)
                driver = "" if rented.is_shared else self._driver_of(rented)
                hashes = read_environments(batch)
                bring_programs(connection, driver=driver, needs_uv=not has_environments(connection, hashes))
                self.terms.tell(f"{rented.machine} is up: it ends by itself at {rented.expires_at}")
                yield node
        except BaseException as error:
            self._give_back(rented, batch)
            if isinstance(error, SshError) and not isinstance(error, HostKeyError):
                raise NodeError(error.what, "Nothing was lost with the machine: try again.") from error
            raise

    def check(self, node: Node, batch: Path) -> None:
        """See that jobs have their GPUs, once their environments are installed; have results copied.

        Raises:
            NodeError: a job would run on the CPU.
        """
        check_gpus(node, read_plan(batch))
        place = read_place(batch)
        if self._bucket and place and place.current:
            start_uploads(
                node,
                batch.name,
                cloud=self.terms.cloud_of(place.current.region),
                bucket=self._bucket,
                until=datetime.fromisoformat(place.current.expires_at),
                tell=self.terms.tell,
            )

    def _get(self, wanted: Wanted, batch: Path) -> Rented:
        place = read_place(batch) or Place()
        found = place.current or find_reusable(wanted, self.terms)
        if found:
            rented = found if place.current else share(found, now=self.terms.now())
            self.terms.tell(f"taking {rented.machine} ({rented.type}), which is there already")
        else:
            rented = rent(wanted, self.terms)
        if not place.current:
            write_place(batch, place.plus(rented))
            self._take_from_others(rented, batch)
        self._limit(wanted, rented, batch)
        return rented

    def _take_from_others(self, rented: Rented, batch: Path) -> None:
        """Let batches that are over, and for which the machine was waiting, pay for it no longer."""
        going_on = others_on(self.terms.home, rented.machine, batch=batch.name)
        for other in holders_of(self.terms.home, rented.machine):
            place = read_place(other)
            if place and other != batch and other not in going_on:
                now = self.terms.now().isoformat(timespec="seconds")
                write_place(other, place.changed(rented.machine, ended_at=now, volume=""))

    def _limit(self, wanted: Wanted, rented: Rented, batch: Path) -> None:
        """Say until when the batch may run; the runner ends it then, in order."""
        ends_at = datetime.fromisoformat(rented.expires_at) - timedelta(seconds=GRACE_S)
        if rented.is_shared and not others_on(self.terms.home, rented.machine, batch=batch.name):
            offer = next(offer for offer in wanted.offers if offer.type == rented.type)
            ends_at = min(ends_at, self.terms.now() + timedelta(seconds=wanted.life_s(offer) - GRACE_S))
        write_whole(batch / LIMITS, json.dumps({"ends_at": ends_at.isoformat(timespec="seconds")}).encode())

    def _driver_of(self, rented: Rented) -> str:
        cloud = self.terms.cloud_of(rented.region)
        kind = machine_types()[rented.type]
        return find_image(cloud, kind, environment=rented.environment, wanted=self.terms.image).driver

    def _give_back(self, rented: Rented, batch: Path) -> None:
        if rented.is_shared:  # it is another batch's as well, and ends with that
            ended = rented._replace(ended_at=self.terms.now().isoformat(timespec="seconds"))
        else:
            self.terms.tell(f"ending {rented.machine}")
            ended = end(rented, self.terms, keep_disk=False)
            self.terms.tell(f"{rented.machine} is gone, and its disk")
        place = read_place(batch) or Place()
        write_place(batch, place.changed(rented.machine, ended_at=ended.ended_at, volume=""))


def wanted_for(batch: Path, offers: Sequence[Offer], *, terms: Terms) -> Wanted:
    """Return what a batch wants: what its plan says, less what its earlier machines have cost.

    Raises:
        NoMachineError: nothing was offered that can be asked for.
    """
    buyable = [offer for offer in offers if offer.zone]
    if not buyable:
        raise NoMachineError(
            "None of the types that the jobs list can be had now.",
            "See why: launcher doctor, launcher plan --on ec2",
        )
    plan = read_plan(batch)
    hashes = sorted(read_environments(batch))
    return Wanted(
        batch=batch.name,
        offers=buyable,
        environment=hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
        batch_s=plan["limits"]["batch_s"],
        usd=plan["limits"]["usd"],
        spent_usd=(read_place(batch) or Place()).cost_usd(terms.now()),
    )


def write_place(batch: Path, place: Place) -> None:
    """Write down which machines a batch has had; on disk when the call returns."""
    write_whole(batch / names.PLACE, place_json(place.machines))
