"""What `ami build` needs: where its machines come from, what is built for their type, what it may cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher.aws.catalogue import machine_types
from launcher.aws.identity import who
from launcher.aws.images import find_image, is_volta
from launcher.aws.offers import find_offers
from launcher.cli.batching import settings_here
from launcher.cli.cost import agree
from launcher.cli.here import now
from launcher.cli.renting import DEFAULT_REGION, make_terms
from launcher.errors import NoMachineError, UsageError
from launcher.images import Build, build_image
from launcher.report.text import clean
from launcher.settings.home import choose_home, make_home
from launcher.targets.ec2_build import LIFE_S, Workshop

if TYPE_CHECKING:
    from launcher.aws.catalogue import MachineType
    from launcher.aws.cloud import Cloud
    from launcher.aws.own_images import OwnImage
    from launcher.plan.values import Offer

_HOUR_S = 3600.0
_MACHINES = 2


def build(type_name: str, region: str | None, *, yes: bool) -> OwnImage:
    """Build an image on a machine of a type.

    Raises:
        UsageError: there is no such type, or nobody is here to agree to the price.
        NoMachineError: none could be had.
        NodeError: the recipe failed.
    """
    kind, settings = _kind(type_name), settings_here()
    here = Path.cwd()
    terms = make_terms(settings, make_home(choose_home(here, first_job_file=here / "ami")))
    cloud = terms.cloud_of(region or (settings.regions or (DEFAULT_REGION,))[0])
    offers = _offers(cloud, type_name, subnet=settings.subnet, disk_gb=settings.disk_gb)
    agree(_MACHINES * LIFE_S / _HOUR_S * max(each.usd_per_hour for each in offers), settings, yes=yes)
    workshop = Workshop(f"image-{now():%Y%m%d-%H%M%S}", offers, terms)
    what = Build(
        gpu="volta" if is_volta(kind) else "current",
        has_gpu=kind.gpus > 0,
        owner=who(cloud).name,
        driver=find_image(cloud, kind, wanted=settings.image).driver,
    )
    return build_image(cloud, what, rent=workshop.rent, now=now, tell=_tell)


def _kind(name: str) -> MachineType:
    try:
        return machine_types()[name]
    except KeyError:
        raise UsageError(f"{name!r} is no machine type that is known.", "Write --type g6.xlarge.") from None


def _offers(cloud: Cloud, name: str, *, subnet: str | None, disk_gb: int) -> tuple[Offer, ...]:
    table = find_offers(cloud, [name], spot=False, subnet=subnet, disk_gb=disk_gb)
    offers = tuple(offer for offer in table.offers if offer.zone)
    if not offers:
        raise NoMachineError(f"No {name} can be had in {cloud.region}.", "See why: launcher doctor")
    return offers


def _tell(line: str) -> None:
    click.echo(clean(line), err=True)
