"""Everything that is ours in some regions, found by tag alone: no file is needed to find it. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.aws import machines, tags
from launcher.aws.schedules import Schedule, find_schedules
from launcher.aws.security import find_groups
from launcher.aws.volumes import Volume, find_volumes
from launcher.errors import AwsDeniedError, AwsUnclearError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine

_SHOWN = (*machines.EXISTING, machines.SHUTTING_DOWN)


@dataclass(frozen=True, slots=True)
class Small:
    """Something of ours that costs nothing: a security group or a key pair."""

    kind: str
    id: str
    region: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was found, and what could not be looked at."""

    machines: tuple[Machine, ...] = ()
    volumes: tuple[Volume, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    small: tuple[Small, ...] = ()
    unseen: tuple[str, ...] = ()

    def and_(self, other: Sweep) -> Sweep:
        """Return both together."""
        return Sweep(
            self.machines + other.machines,
            self.volumes + other.volumes,
            self.schedules + other.schedules,
            self.small + other.small,
            self.unseen + other.unseen,
        )


def sweep(cloud_of: Callable[[str], Cloud], regions: Iterable[str], *, owner: str | None = None) -> Sweep:
    """Look everywhere.

    Args:
        owner: whose things; None is everybody's in the account.

    Raises:
        AwsError: machines or disks can't be listed somewhere.
    """
    found = Sweep()
    for region in regions:
        found = found.and_(_look(cloud_of(region), owner))
    return found


def _look(cloud: Cloud, owner: str | None) -> Sweep:
    alive = machines.find_machines(cloud, owner=owner, states=_SHOWN)
    disks = find_volumes(cloud, owner=owner)
    groups = tuple(Small("group", key, cloud.region, given) for key, given in find_groups(cloud, owner=owner))
    keys, unseen_keys = _keys(cloud, owner)
    try:
        schedules = find_schedules(cloud)
    except (AwsDeniedError, AwsUnclearError) as error:  # a second line that many accounts do without
        return Sweep(alive, disks, (), groups + keys, (f"schedules: {error.what}", *unseen_keys))
    return Sweep(alive, disks, schedules, groups + keys, unseen_keys)


def _keys(cloud: Cloud, owner: str | None) -> tuple[tuple[Small, ...], tuple[str, ...]]:
    try:
        rows = cloud.call("ec2", "DescribeKeyPairs", Filters=tags.filters(owner=owner))["KeyPairs"]
    except AwsDeniedError as error:
        return (), (f"key pairs: {error.what}",)
    found = (Small("key", row["KeyName"], cloud.region, tags.from_aws(row.get("Tags"))) for row in rows)
    return tuple(found), ()
