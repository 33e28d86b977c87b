"""What could be rented for a batch, over all its regions: offers in order, refusals, notes. Buys nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from launcher.aws.identity import outlives, who
from launcher.aws.images import find_image
from launcher.aws.offers import SPOT, OfferTable, find_offers, list_offers
from launcher.aws.permissions import may_launch, may_make_group
from launcher.aws.places import find_shapes
from launcher.errors import AwsDuplicateError, AwsError, AwsMissingError, AwsSetupError
from launcher.plan.ceiling import DEFAULT_BATCH_S, GRACE_S
from launcher.plan.values import Fleet, Refusal
from launcher.targets.stack import hash_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from launcher.aws.cloud import Cloud
    from launcher.aws.identity import Identity
    from launcher.plan.values import MachineNeeds, Offer

_MINUTES = "%Y-%m-%d %H:%M UTC"
_MOST_SKEW_S = 60


@dataclass(frozen=True, slots=True)
class Market:
    """Where and how to look.

    Attributes:
        cloud_of: gives the account in a region.
        subnet: the only one to launch into; None is the default VPC's.
        prefer_zones: the zone that worked last, by region.
        image: what machines start from; None is the best that there is.
    """

    cloud_of: Callable[[str], Cloud]
    subnet: str | None
    disk_gb: float
    prefer_zones: Mapping[str, str]
    image: str | None = None


def find_fleet(needs: MachineNeeds, market: Market) -> Fleet:
    """Return what could be rented; where AWS can't be asked, what the table of types knows.

    Spot stands before on demand, then types stand in the jobs' order, then regions in theirs.
    """
    cloud = market.cloud_of(needs.regions[0])
    try:
        identity = who(cloud)
    except AwsError as error:
        tables = [_from_table(needs, region, market, error) for region in needs.regions]
        notes = [f"to have AWS asked: {error.todo[0].lower()}{error.todo[1:].rstrip('.')}"]
        offers = _sort(tables, needs)
    else:
        tables = [_ask(needs, region, market) for region in needs.regions]
        offers = _sort(tables, needs)
        notes = [*_warn_of(identity, needs, cloud.clock()), *_warn_of_denial(offers, market)]
    return Fleet(
        interpreter_hash=hash_stack(),
        offers=offers,
        refused=tuple(refusal for table in tables for refusal in table.refused),
        notes=tuple(dict.fromkeys([*(note for table in tables for note in table.notes), *notes])),
    )


def _ask(needs: MachineNeeds, region: str, market: Market) -> OfferTable:
    try:
        return find_offers(
            market.cloud_of(region),
            needs.types,
            spot=needs.spot,
            gpus=needs.gpus,
            subnet=market.subnet,
            disk_gb=market.disk_gb,
            prefer_zone=market.prefer_zones.get(region),
        )
    except (AwsSetupError, AwsMissingError) as error:  # it was asked, and there is no place
        refused = tuple(Refusal(name, region, "", "no subnet to stand in") for name in needs.types)
        return OfferTable((), refused, (f"{error.what} {error.todo}",))
    except AwsError as error:
        return _from_table(needs, region, market, error)


def _from_table(needs: MachineNeeds, region: str, market: Market, error: AwsError) -> OfferTable:
    return list_offers(
        region, needs.types, spot=needs.spot, gpus=needs.gpus, disk_gb=market.disk_gb, why=error.what
    )


def _warn_of(identity: Identity, needs: MachineNeeds, now: datetime) -> Iterator[str]:
    """Say what would only go wrong in the night."""
    planned_s = (needs.batch_s or DEFAULT_BATCH_S) + GRACE_S
    end = now + timedelta(seconds=planned_s)
    lasts = outlives(identity, end)
    if lasts is False and identity.expires_at:
        yield (
            f"the AWS credentials end at {identity.expires_at.strftime(_MINUTES)}, before the batch may "
            f"({end.strftime(_MINUTES)}): the machine goes on and ends itself; recover brings results home"
        )
    if lasts is None:
        yield "the AWS credentials are temporary, and do not say when they end"
    if abs(identity.skew_s) > _MOST_SKEW_S:
        yield f"the clock of this computer is {abs(identity.skew_s):.0f} s off; from 5 minutes on AWS refuses"


def _warn_of_denial(offers: Sequence[Offer], market: Market) -> Iterator[str]:
    """Say what IAM would refuse, by a dry run of the first launch."""
    asked = next((offer for offer in offers if offer.subnet), None)
    if asked is None:
        return
    cloud = market.cloud_of(asked.region)
    try:
        with suppress(AwsDuplicateError):
            may_make_group(cloud, asked.vpc)
        image = find_image(cloud, find_shapes(cloud, [asked.type])[asked.type], wanted=market.image)
        may_launch(cloud, asked, image=image.id)
    except AwsError as error:
        yield f"a launch would fail: {error.what} {error.todo}"


def _sort(tables: Sequence[OfferTable], needs: MachineNeeds) -> tuple[Offer, ...]:
    offers = (offer for table in tables for offer in table.offers)
    return tuple(sorted(offers, key=lambda offer: _rank(offer, needs)))


def _rank(offer: Offer, needs: MachineNeeds) -> tuple[bool, int, int]:
    return offer.market != SPOT, needs.types.index(offer.type), needs.regions.index(offer.region)
