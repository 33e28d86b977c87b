"""What must be in order before a machine can be rented, each with its remedy. Buys nothing."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from launcher.aws.identity import who
from launcher.aws.images import find_image
from launcher.aws.offers import find_offers
from launcher.aws.permissions import may_end, may_launch, may_make_group
from launcher.aws.places import find_shapes, find_subnets, find_zones
from launcher.aws.quotas import Quota, quota_code, read_quotas
from launcher.aws.security import my_address
from launcher.errors import AwsDuplicateError, AwsError, AwsSetupError, LauncherError, NodeError
from launcher.report.checks import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from launcher.aws.cloud import Cloud
    from launcher.aws.identity import Identity
    from launcher.aws.images import Image
    from launcher.plan.values import Offer

_NIGHT_S = 12 * 3600
_MOST_SKEW_S = 60
_PROBE_S = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would be rented, and how it would be reached.

    Attributes:
        types: machine types in order of preference.
        probe: a host and port that answer on the internet as a machine's SSH would.
    """

    types: Sequence[str]
    subnet: str | None
    image: str | None
    cidr: str | None
    disk_gb: float
    probe: tuple[str, int]


def check_ec2(cloud: Cloud, wanted: Wanted) -> Iterator[Check]:
    """Check the account in a region, in the order in which a night needs things."""
    offer = cache(partial(_offer, cloud, wanted))  # asked for once, and only when everything before is known
    steps: dict[str, Callable[[], str | Check]] = {
        "subnet": lambda: _subnet(cloud, wanted),
        "types": lambda: _types(cloud, wanted),
        "quota": lambda: _quota(cloud, wanted),
        "price": lambda: _price(offer),
        "image": lambda: _image(cloud, wanted, offer),
        "group": lambda: _group(cloud, offer),
        "launch": lambda: _launch(cloud, wanted, offer),
        "end": lambda: _end(cloud),
        "address": lambda: wanted.cidr or my_address(),
        "port 22": lambda: _port(wanted.probe),
    }
    try:
        identity = who(cloud)
    except AwsError as error:
        yield Check("credentials", "failed", error.what, error.todo)
        yield from (Check(name, "skipped", "without credentials there is no telling") for name in steps)
        return
    yield _credentials(identity, cloud)
    yield _clock(identity)
    for name, step in steps.items():
        yield _try(name, step)


def _try(name: str, step: Callable[[], str | Check]) -> Check:
    try:
        said = step()
    except LauncherError as error:
        return Check(name, "failed", error.what, error.todo)
    return said if isinstance(said, Check) else Check(name, "ok", said)


def _credentials(identity: Identity, cloud: Cloud) -> Check:
    said = f"{identity.name} of account {identity.account}"
    if not identity.is_temporary:
        return Check("credentials", "ok", said)
    if identity.expires_at is None:
        return Check("credentials", "warning", f"{said}, temporary, and they don't say when they end")
    left_s = (identity.expires_at - cloud.clock()).total_seconds()
    ends = f"{said}, until {identity.expires_at:%Y-%m-%d %H:%M} UTC"
    if left_s >= _NIGHT_S:
        return Check("credentials", "ok", ends)
    return Check("credentials", "warning", ends, "Log in again before a night: aws sso login.")


def _clock(identity: Identity) -> Check:
    said = f"{abs(identity.skew_s):.0f} s from AWS'"
    if abs(identity.skew_s) <= _MOST_SKEW_S:
        return Check("clock", "ok", said)
    return Check("clock", "failed", said, "Set the clock, for example with timedatectl set-ntp true.")


def _subnet(cloud: Cloud, wanted: Wanted) -> str:
    subnets = find_subnets(cloud, wanted.subnet)
    return f"{len(subnets)} in {next(iter(subnets.values())).vpc}: {', '.join(sorted(subnets))}"


def _types(cloud: Cloud, wanted: Wanted) -> str | Check:
    zones = find_zones(cloud, wanted.types)
    there = [name for name in wanted.types if zones[name]]
    gone = [name for name in wanted.types if not zones[name]]
    missing = f"; not in {cloud.region}: {', '.join(gone)}" if gone else ""
    if there:
        return f"{', '.join(there)}{missing}"
    return Check("types", "failed", f"none of {', '.join(gone)} is offered in {cloud.region}", "Name others.")


def _quota(cloud: Cloud, wanted: Wanted) -> str | Check:
    shapes = find_shapes(cloud, wanted.types)
    codes = {name: quota_code(name, "on-demand") for name, kind in shapes.items() if kind.status != "retired"}
    quotas = read_quotas(cloud, set(codes.values()))
    if not quotas:
        return Check("quota", "warning", "AWS does not say what it is")
    said = "; ".join(_quota_text(quota) for quota in quotas.values())
    if any(code in quotas and quotas[code].left >= shapes[name].vcpus for name, code in codes.items()):
        return said
    raise AwsSetupError(f"too small for any of the types: {said}.", f"Ask for more: {_urls(quotas)}")


def _urls(quotas: dict[str, Quota]) -> str:
    return " ".join(quota.url for quota in quotas.values())


def _quota_text(quota: Quota) -> str:
    return f"{quota.left:g} of {quota.limit:g} vCPUs left ({quota.code})"


def _offer(cloud: Cloud, wanted: Wanted) -> Offer:
    table = find_offers(cloud, wanted.types, spot=False, subnet=wanted.subnet, disk_gb=wanted.disk_gb)
    if not table.offers:
        raise AwsSetupError("there is nothing to launch.", "Mend what stands above.")
    return table.offers[0]


def _price(best: Callable[[], Offer]) -> str | Check:
    offer = best()
    said = f"{offer.type} ${offer.price_usd_per_hour:.4g} an hour ({offer.source})"
    if "estimate" not in offer.source:
        return said
    return Check("price", "warning", said, "Allow pricing:GetProducts to see today's: launcher iam-policy.")


def _image(cloud: Cloud, wanted: Wanted, best: Callable[[], Offer]) -> str:
    image = _find_image(cloud, wanted, best())
    return f"{image.id}, {image.source}"


def _find_image(cloud: Cloud, wanted: Wanted, offer: Offer) -> Image:
    return find_image(cloud, find_shapes(cloud, [offer.type])[offer.type], wanted=wanted.image)


def _group(cloud: Cloud, best: Callable[[], Offer]) -> str:
    with suppress(AwsDuplicateError):
        may_make_group(cloud, best().vpc)
    return "a security group may be made"


def _launch(cloud: Cloud, wanted: Wanted, best: Callable[[], Offer]) -> str | Check:
    offer = best()
    if may_launch(cloud, offer, image=_find_image(cloud, wanted, offer).id):
        return f"{offer.type} may be launched in {offer.zone}"
    return Check("launch", "skipped", "can be checked once the first launch has made its security group")


def _end(cloud: Cloud) -> str | Check:
    if may_end(cloud):
        return "machines may be terminated"
    return Check("end", "skipped", "there is no machine of ours to ask about")


def _port(probe: tuple[str, int]) -> str:
    host, port = probe
    try:
        with socket.create_connection(probe, timeout=_PROBE_S):
            return f"{host}:{port} can be reached"
    except OSError as error:
        raise NodeError(
            f"{host}:{port} can't be reached: {error}.",
            "Ask whoever runs this network to let SSH out, or use another network.",
        ) from error
