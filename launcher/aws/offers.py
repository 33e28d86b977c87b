"""Which machines could be had, best first, and why others can't: types x zones x subnets, prices, quotas.

Buys nothing. Where AWS can't be asked the table answers, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launcher.aws.catalogue import Price, extra_usd_per_hour, list_price, machine_types, nearest
from launcher.aws.places import find_shapes, find_subnets, find_zones
from launcher.aws.prices import read_list_prices, read_spot_prices
from launcher.aws.quotas import quota_code, quota_url, read_quotas
from launcher.errors import AwsError
from launcher.plan.values import Offer, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launcher.aws.catalogue import MachineType
    from launcher.aws.cloud import Cloud
    from launcher.aws.places import Subnet
    from launcher.aws.quotas import Quota

ON_DEMAND = "on-demand"
SPOT = "spot"


@dataclass(frozen=True, slots=True)
class OfferTable:
    """What could be had in a region, best first; what could not; what the user should know."""

    offers: tuple[Offer, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _World:
    """What is true of a region; without subnets nobody was asked."""

    region: str
    shapes: Mapping[str, MachineType]
    zones: Mapping[str, Sequence[str]]
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    list_prices: Mapping[str, Price] = field(default_factory=dict)
    spot_prices: Mapping[tuple[str, str], Price] = field(default_factory=dict)
    quotas: Mapping[str, Quota] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wish:
    types: Sequence[str]
    spot: bool
    gpus: float
    disk_gb: float
    prefer_zone: str | None = None


def find_offers(
    cloud: Cloud,
    types: Sequence[str],
    *,
    spot: bool,
    gpus: float = 0,
    subnet: str | None = None,
    disk_gb: float = 100,
    prefer_zone: str | None = None,
) -> OfferTable:
    """Ask AWS what could be launched in a region.

    Types stand in the order given; spot stands before on demand, and among zones the one that worked last,
    then the cheapest.

    Args:
        gpus: how many a run needs at most.
        subnet: the only one to launch into; None is the default VPC's.

    Raises:
        AwsError: AWS can't be asked for offerings or subnets.
    """
    notes: list[str] = []
    shapes = find_shapes(cloud, types)
    zones = find_zones(cloud, types)
    offered = [name for name in types if zones[name] and name in shapes]
    world = _World(
        region=cloud.region,
        shapes=shapes,
        zones=zones,
        subnets=find_subnets(cloud, subnet),
        list_prices=_try_list_prices(cloud, offered, notes),
        spot_prices=_try_spot_prices(cloud, offered, notes) if spot else {},
        quotas=_try_quotas(cloud, offered, spot=spot, notes=notes),
    )
    return _make_table(world, _Wish(types, spot, gpus, disk_gb, prefer_zone), notes)


def list_offers(
    region: str, types: Sequence[str], *, spot: bool, gpus: float = 0, disk_gb: float = 100, why: str
) -> OfferTable:
    """Return what the table knows, where AWS can't be asked.

    Args:
        why: what stood in the way.
    """
    known = {name: machine_types()[name] for name in types if name in machine_types()}
    zones = {name: () if name not in known or known[name].status == "retired" else ("",) for name in types}
    world = _World(region=region, shapes=known, zones=zones)
    note = f"AWS was not asked ({why.rstrip('.')}): zones, quota and today's prices in {region} are not known"
    return _make_table(world, _Wish(types, spot, gpus, disk_gb), [note])


def _try_list_prices(cloud: Cloud, names: Sequence[str], notes: list[str]) -> dict[str, Price]:
    try:
        return read_list_prices(cloud, names) if names else {}
    except AwsError as error:
        notes.append(f"prices are of a list, not of today ({error.what.rstrip('.')})")
        return {}


def _try_spot_prices(cloud: Cloud, names: Sequence[str], notes: list[str]) -> dict[tuple[str, str], Price]:
    try:
        return read_spot_prices(cloud, names) if names else {}
    except AwsError as error:
        notes.append(f"spot prices are not known ({error.what.rstrip('.')}): what on demand costs is shown")
        return {}


def _try_quotas(cloud: Cloud, names: Sequence[str], *, spot: bool, notes: list[str]) -> dict[str, Quota]:
    markets = (SPOT, ON_DEMAND) if spot else (ON_DEMAND,)
    try:
        return read_quotas(cloud, {quota_code(name, market) for name in names for market in markets})
    except AwsError as error:
        notes.append(f"the quota of {cloud.region} is not known ({error.what.rstrip('.')})")
        return {}


def _make_table(world: _World, wish: _Wish, notes: Sequence[str]) -> OfferTable:
    rows: list[Offer | Refusal] = []
    for market in (SPOT, ON_DEMAND) if wish.spot else (ON_DEMAND,):
        for rank, name in enumerate(dict.fromkeys(wish.types), start=1):
            rows += _rows_of(name, market, rank=rank, world=world, wish=wish)
    return OfferTable(
        offers=tuple(row for row in rows if isinstance(row, Offer)),
        refused=tuple(dict.fromkeys(row for row in rows if isinstance(row, Refusal))),
        notes=tuple(notes),
    )


def _rows_of(name: str, market: str, *, rank: int, world: _World, wish: _Wish) -> Iterator[Offer | Refusal]:
    reason = _lack_of(name, world, wish) or _lack_of_quota(name, market, world)
    if reason:
        yield Refusal(name, world.region, "", reason)
        return
    kind = world.shapes[name]
    choice = f"choice {rank} of {len(wish.types)}"
    for zone in _sort_zones(name, market, world=world, wish=wish):
        subnet = world.subnets.get(zone)
        price = _price_of(kind, zone, market, world)
        if price is None:
            yield Refusal(name, world.region, zone, "what it costs is not known")
        elif subnet and subnet.free_addresses < 1:
            yield Refusal(name, world.region, zone, f"{subnet.id} has no free address")
        else:
            yield _make_offer(kind, zone, market, world=world, price=price, wish=wish, reason=choice)


def _make_offer(
    kind: MachineType, zone: str, market: str, *, world: _World, price: Price, wish: _Wish, reason: str
) -> Offer:
    subnet = world.subnets.get(zone)
    return Offer(
        type=kind.name,
        zone=zone,
        region=world.region,
        market=market,
        price_usd_per_hour=price.usd_per_hour,
        source=price.source,
        reason=reason + (", where it worked last" if zone and zone == wish.prefer_zone else ""),
        subnet=subnet.id if subnet else "",
        vpc=subnet.vpc if subnet else "",
        gpus=kind.gpus,
        gpu_name=kind.gpu_name,
        vcpus=kind.vcpus,
        price_as_of=price.as_of,
        extra_usd_per_hour=extra_usd_per_hour(wish.disk_gb),
    )


def _lack_of(name: str, world: _World, wish: _Wish) -> str | None:
    """Return why a type can't be had in the region at all."""
    kind = world.shapes.get(name)
    if kind is None:
        return "there is no such type" if world.subnets else "the table of types does not have it"
    if kind.status == "arm":
        return "it is no x86-64 machine"
    if not world.zones[name]:
        return _no_zone(kind, world.region)
    if kind.gpus < wish.gpus:
        has = f"{kind.gpus or 'no'} GPU{'s' * (kind.gpus > 1)}"
        return f"it has {has}, and {wish.gpus:g} {'are' if wish.gpus > 1 else 'is'} needed"
    if world.subnets and not set(world.zones[name]) & set(world.subnets):
        return f"offered in {', '.join(world.zones[name])}, where there is no subnet"
    return None


def _no_zone(kind: MachineType, region: str) -> str:
    instead = nearest(kind.name)
    likes = f"; nearest: {', '.join(instead)}" if instead else ""
    return f"retired by AWS{likes}" if kind.status == "retired" else f"not offered in {region}{likes}"


def _lack_of_quota(name: str, market: str, world: _World) -> str | None:
    code = quota_code(name, market)
    quota = world.quotas.get(code)
    if quota is None or quota.left >= world.shapes[name].vcpus:
        return None
    return (
        f"it takes {world.shapes[name].vcpus} vCPUs, and the {market} quota {code} leaves {quota.left:g} of "
        f"{quota.limit:g}; ask for more: {quota_url(code, world.region)}"
    )


def _sort_zones(name: str, market: str, *, world: _World, wish: _Wish) -> list[str]:
    def key(zone: str) -> tuple[bool, float, str]:
        price = world.spot_prices.get((name, zone)) if market == SPOT else None
        return zone != wish.prefer_zone, price.usd_per_hour if price else float("inf"), zone

    return sorted((zone for zone in world.zones[name] if not world.subnets or zone in world.subnets), key=key)


def _price_of(kind: MachineType, zone: str, market: str, world: _World) -> Price | None:
    # Where spot has no price it costs at most what on demand costs.
    spot = world.spot_prices.get((kind.name, zone)) if market == SPOT else None
    return spot or world.list_prices.get(kind.name) or list_price(kind, world.region)
