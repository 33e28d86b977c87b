"""What tests of launching share: offers, a request, and a launch."""

from __future__ import annotations

import uuid
from random import Random
from typing import TYPE_CHECKING

from launcher.aws.images import Image
from launcher.aws.intent import intent_of
from launcher.aws.launch import launch
from launcher.aws.launch_request import LaunchRequest
from launcher.plan.values import Offer
from tests.fake_ec2 import seeds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine
    from tests.fake_ec2 import FakeEc2

BATCH = "20261121-0213-brisk-otter"
LIFE_S = 3600.0


def offers(
    fake: FakeEc2,
    *,
    types: Sequence[str] = ("g6.xlarge", "g5.xlarge"),
    zones: Sequence[str] = ("us-west-2a", "us-west-2b"),
    market: str = "on-demand",
) -> list[Offer]:
    subnets = fake.subnets()
    return [
        Offer(kind, zone, "us-west-2", market, 1.0, "test", "test", subnet=subnets[zone])
        for kind in types
        for zone in zones
    ]


def request(fake: FakeEc2, batch: str = BATCH, owner: str = "me", role: str | None = None) -> LaunchRequest:
    group = fake.default_group()

    host_key = uuid.uuid4()

    def user_data(offer: Offer, deadline: datetime) -> bytes:
        return f"#cloud-config\n# {offer.type} {deadline.isoformat()} {host_key}\n".encode()

    return LaunchRequest(
        batch=batch,
        owner=owner,
        version="1",
        disk_gb=20,
        image=lambda offer: Image(seeds.image_id(offer.region), "/dev/sda1", 15, "ubuntu", "test"),
        group=lambda _: group,
        lifetime_s=lambda _: LIFE_S,
        user_data=user_data,
        reaper_role=role,
    )


def try_launch(
    fake: FakeEc2,
    cloud: Cloud,
    home: Path,
    *,
    wanted: Sequence[Offer] | None = None,
    wait_s: float = 0.0,
    said: list[str] | None = None,
    batch: str = BATCH,
    owner: str = "me",
    role: str | None = None,
) -> Machine:
    return launch(
        cloud.in_region,
        request(fake, batch, owner, role),
        offers(fake) if wanted is None else wanted,
        intent=intent_of(home, batch),
        wait_s=wait_s,
        tell=(said if said is not None else []).append,
        random=Random(0),
    )
