"""From settings to the account and its machines, built once for the commands that rent."""

from __future__ import annotations

import random
import socket
import time
from typing import TYPE_CHECKING

import click

from launcher.aws.cloud import Cloud
from launcher.cli.here import now
from launcher.report.text import clean
from launcher.spec.quantities import parse_duration_s
from launcher.targets.ec2 import Ec2Target
from launcher.targets.ec2_fleet import Market
from launcher.targets.ec2_rent import Terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launcher.settings.known import Settings

DEFAULT_REGION = "us-west-2"


def make_cloud(settings: Settings, region: str) -> Cloud:
    """Return the account, in a region."""
    return Cloud(region, profile=settings.profile, sleep=time.sleep, clock=now)


def cloud_maker(settings: Settings) -> Callable[[str], Cloud]:
    """Return what gives the account in any region, with one session and one count of calls."""
    first: list[Cloud] = []

    def cloud_of(region: str) -> Cloud:
        if not first:
            first.append(make_cloud(settings, region))
        return first[0].in_region(region)

    return cloud_of


def make_ec2_target(
    settings: Settings, home: Path, *, keep: str | None = None, wait: str | None = None
) -> Ec2Target:
    """Return EC2 as a target.

    Args:
        home: the folder `.launcher`.
        keep: how long the machine waits for the next batch, a duration; None ends it when it is done.
        wait: how long to try for a machine, a duration.
    """
    terms = make_terms(settings, home, keep=keep, wait=wait)
    market = Market(
        cloud_of=terms.cloud_of,
        subnet=settings.subnet,
        disk_gb=settings.disk_gb,
        prefer_zones={},
        image=settings.image,
    )
    return Ec2Target(market, terms, bucket=settings.bucket)


def make_terms(settings: Settings, home: Path, *, keep: str | None = None, wait: str | None = None) -> Terms:
    """Return how machines are rented."""
    return Terms(
        home=home,
        cloud_of=cloud_maker(settings),
        cidr=settings.cidr,
        image=settings.image,
        subnet=settings.subnet,
        disk_gb=settings.disk_gb,
        deadman_s=settings.deadman_s,
        reaper_role=settings.reaper_role,
        keep_s=parse_duration_s(keep or settings.keep),
        keeps=keep is not None,
        wait_s=parse_duration_s(wait) if wait else 0.0,
        tell=lambda line: click.echo(clean(line), err=True),
        now=now,
        clock=time.monotonic,
        sleep=time.sleep,
        random=random.Random(),  # noqa: S311 - it spreads pauses
        client=socket.gethostname(),
    )
