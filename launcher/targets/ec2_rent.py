"""Rent a machine for a batch, or take one that is there; end one. Buys, and gives back what it bought."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from launcher.aws import machines, security, tags, volumes
from launcher.aws.catalogue import machine_types
from launcher.aws.identity import who
from launcher.aws.images import find_image
from launcher.aws.intent import intent_of
from launcher.aws.launch import launch
from launcher.aws.launch_request import LaunchRequest
from launcher.aws.regions import remember_region
from launcher.aws.settle import abandon
from launcher.aws.user_data import Birth, make_user_data
from launcher.errors import AwsError, NoMachineError
from launcher.plan.ceiling import ceiling
from launcher.results.place import Rented
from launcher.runner import names
from launcher.targets.ec2_keys import make_machine_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from launcher.aws.cloud import Cloud
    from launcher.aws.images import Image
    from launcher.aws.intent import Intent
    from launcher.aws.machines import Machine
    from launcher.plan.values import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How machines are rented: settings and wishes, the same for all batches of a command.

    Attributes:
        cloud_of: gives the account in a region.
        cidr: the addresses that may reach a machine; None is this computer's.
        image: what machines start from; None is the best that there is.
        subnet: into which they are launched; None is any of the default VPC.
        deadman_s: how often a machine looks whether it must end.
        reaper_role: with which EventBridge Scheduler ends a machine, as a second line.
        keep_s: how long a machine with nothing left to run waits for home, or for the next batch.
        keeps: whether it is to wait for the next batch, too.
        wait_s: how long to try for a machine.
        tell: takes lines about what happens.
        client: a name for this computer among those of the owner, whose addresses are let in.
    """

    home: Path
    cloud_of: Callable[[str], Cloud]
    cidr: str | None
    image: str | None
    subnet: str | None
    disk_gb: int
    deadman_s: float
    reaper_role: str | None
    keep_s: float
    keeps: bool
    wait_s: float
    tell: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Random
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A machine for a batch.

    Attributes:
        environment: hashes of what its jobs need installed, joined.
        batch_s, usd, spent_usd: its limits, and what its earlier machines have cost.
    """

    batch: str
    offers: Sequence[Offer]
    environment: str
    batch_s: float | None
    usd: float | None
    spent_usd: float = 0.0

    def life_s(self, offer: Offer) -> float:
        """Return how long a machine at this price may live."""
        return ceiling(
            usd_per_hour=offer.usd_per_hour, batch_s=self.batch_s, usd=self.usd, spent_usd=self.spent_usd
        ).life_s


def rent(wanted: Wanted, terms: Terms) -> Rented:
    """Get a machine, or take up one that an earlier call got: at most one for a batch at a time.

    Raises:
        NoMachineError: none could be had; it says why, attempt by attempt.
        AwsError: AWS can't be asked, or refuses.
    """
    intent = intent_of(terms.home, wanted.batch)
    for region in {offer.region for offer in wanted.offers}:
        remember_region(terms.home, region)
    machine = launch(
        terms.cloud_of,
        _request(wanted, terms, intent=intent),
        wanted.offers,
        intent=intent,
        wait_s=terms.wait_s,
        tell=terms.tell,
        random=terms.random,
    )
    attempt = intent.record.attempt
    return _describe(
        machine,
        usd_per_hour=attempt.usd_per_hour if attempt else 0.0,
        key=_key_name(wanted.batch, len(intent.record.machines) - 1),
        environment=wanted.environment,
    )


def end(rented: Rented, terms: Terms, *, keep_disk: bool) -> Rented:
    """End a machine, wait until it is gone, and remove what belongs to it.

    Args:
        keep_disk: whether results on its disk are not at home yet.

    Returns:
        it with the time of its end, and with its disk where that is kept.

    Raises:
        NoMachineError: it is still there; says what it costs and how to end it.
    """
    intent = intent_of(terms.home, batch_of(rented))
    try:
        if intent.record.machine == rented.machine:
            left = _end_by_intent(intent, terms, keep_disk=keep_disk)
        else:
            left = _end_by_id(rented, terms, keep_disk=keep_disk)
    except AwsError as error:
        raise still_there(rented, why=error.what) from error
    if left:
        raise still_there(rented, why=f"AWS did not end {', '.join(left)} in time")
    return rented._replace(
        ended_at=terms.now().isoformat(timespec="seconds"),
        volume=rented.volume if keep_disk else "",
    )


def still_there(rented: Rented, *, why: str) -> NoMachineError:
    """Return the loud error of a machine that could not be ended."""
    return NoMachineError(
        f"{rented.machine} ({rented.type}, {rented.region}) may still be there, at "
        f"${rented.usd_per_hour:.2f} an hour: {why.rstrip('.')}. It ends itself at {rented.expires_at}.",
        f"End it now: launcher reap --yes (or: aws ec2 terminate-instances --region {rented.region} "
        f"--instance-ids {rented.machine})",
    )


def _request(wanted: Wanted, terms: Terms, *, intent: Intent) -> LaunchRequest:
    owner = who(terms.cloud_of(wanted.offers[0].region)).name
    cidr = terms.cidr or security.my_address()

    def image(offer: Offer) -> Image:
        cloud = terms.cloud_of(offer.region)
        return find_image(
            cloud, machine_types()[offer.type], environment=wanted.environment, wanted=terms.image
        )

    def group(offer: Offer) -> str:
        cloud = terms.cloud_of(offer.region)
        return security.ensure_group(cloud, vpc=offer.vpc, cidr=cidr, owner=owner, client=terms.client)

    def user_data(offer: Offer, expires_at: datetime) -> bytes:
        # Made when a machine is asked for anew; one that was got before has the keys that it was born with.
        keys = make_machine_keys(terms.home, _key_name(wanted.batch, len(intent.record.machines)))
        return make_user_data(
            Birth(
                batch=wanted.batch,
                version=names.VERSION,
                deadline_at=int(expires_at.timestamp()),
                granted_s=int(wanted.life_s(offer)),
                lease_s=int(terms.keep_s),
                interval_s=int(terms.deadman_s),
                spot=offer.market == "spot",
                login_keys=(keys.login,),
                host_key=keys.host_private,
                host_key_public=keys.host_public,
            )
        )

    return LaunchRequest(
        batch=wanted.batch,
        owner=owner,
        version=names.VERSION,
        disk_gb=terms.disk_gb,
        image=image,
        group=group,
        lifetime_s=wanted.life_s,
        user_data=user_data,
        more_tags={"launcher:env": wanted.environment, **_keep_tag(terms)},
        reaper_role=terms.reaper_role,
    )


def _keep_tag(terms: Terms) -> dict[str, str]:
    return {tags.KEEP: f"{terms.keep_s:.0f}s"} if terms.keeps else {}


def _describe(machine: Machine, *, usd_per_hour: float, key: str, environment: str) -> Rented:
    launched_at = machine.launched_at
    return Rented(
        machine=machine.id,
        region=machine.region,
        zone=machine.zone,
        type=machine.type,
        market=machine.market,
        usd_per_hour=usd_per_hour,
        launched_at=launched_at.isoformat(timespec="seconds"),
        expires_at=(machine.expires_at or launched_at + timedelta(hours=1)).isoformat(timespec="seconds"),
        address=machine.address or "",
        volume=_root(machine),
        attempt=machine.token,
        key=key,
        environment=environment,
    )


def _root(machine: Machine) -> str:
    return next(iter(machine.volumes.values()), "")


def _end_by_intent(intent: Intent, terms: Terms, *, keep_disk: bool) -> tuple[str, ...]:
    if not keep_disk:
        _sync_home()
        intent.results_are_home()
    return abandon(terms.cloud_of, intent, why="its disk is kept" if keep_disk else "finished")


def _sync_home() -> None:
    """See that all that was brought home is on disk: soon it will be nowhere else."""
    if hasattr(os, "sync"):  # Windows has none
        os.sync()


def _end_by_id(rented: Rented, terms: Terms, *, keep_disk: bool) -> tuple[str, ...]:
    """End a machine of which no intent knows any more."""
    cloud = terms.cloud_of(rented.region)
    left = machines.end(cloud, [rented.machine], seen=True)
    if left or keep_disk:
        return left
    _sync_home()
    disks = [rented.volume] if rented.volume else []
    disks = disks or [each.id for each in volumes.find_volumes(cloud, attempt=rented.attempt)]
    return tuple(disk for disk in disks if not volumes.delete_when_free(cloud, disk))


def _key_name(batch: str, number: int) -> str:
    """Return the name of the keys of a batch's machine, from 0."""
    return f"{batch}-{number}"


def batch_of(rented: Rented) -> str:
    """Return the batch that a machine was rented for."""
    return rented.key.rpartition("-")[0]
