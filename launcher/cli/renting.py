"""From settings to the account and its machines, built once for the commands that rent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launcher.aws.cloud import Cloud
from launcher.cli.here import now
from launcher.targets.ec2 import Ec2Target
from launcher.targets.ec2_fleet import Market

if TYPE_CHECKING:
    from collections.abc import Callable

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


def make_ec2_target(settings: Settings) -> Ec2Target:
    """Return EC2 as a target."""
    return Ec2Target(
        Market(
            cloud_of=cloud_maker(settings),
            subnet=settings.subnet,
            disk_gb=settings.disk_gb,
            prefer_zones={},
        )
    )
