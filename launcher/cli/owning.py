"""What `ps` and `reap` share: the account, whose things, and where to look."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from launcher.aws.identity import who
from launcher.aws.regions import regions_to_look_at
from launcher.cli.batching import settings_here
from launcher.cli.here import now
from launcher.cli.renting import DEFAULT_REGION, cloud_maker
from launcher.reap import Found, look
from launcher.settings.home import find_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.aws.cloud import Cloud


@dataclass(frozen=True, slots=True)
class Owning:
    """What is ours, and the way to it."""

    found: Found
    cloud_of: Callable[[str], Cloud]
    home: Path | None


def look_around(*, everybody: bool) -> Owning:
    """Look at every region that was used, whoever's things are wanted.

    Raises:
        AwsError: AWS can't be asked.
    """
    settings = settings_here()
    home, cloud_of = find_home(Path.cwd()), cloud_maker(settings)
    default = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    regions = regions_to_look_at(home, settings=settings.regions, default=default)
    owner = None if everybody else who(cloud_of(regions[0])).name
    found = look(cloud_of, regions, home=home, owner=owner, now=now())
    for line in found.unseen:
        if line.startswith("schedules") and not settings.reaper_role:
            continue  # none are made, and the policy does not speak of them
        click.echo(f"Not looked at: {line}", err=True)
    return Owning(found, cloud_of, home)
