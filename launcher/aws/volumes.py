"""Disks that outlive their machines: find, attach, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.aws import tags
from launcher.errors import AwsMissingError, AwsRefusedError, AwsThrottledError, AwsUnclearError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from launcher.aws.cloud import Cloud

AVAILABLE, IN_USE = "available", "in-use"
_EVERY_S = 2.0
_IN_USE_CODES = ("VolumeInUse", "IncorrectState")


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk of ours.

    Attributes:
        machine: the machine that it is attached to; None where it is free.
        expires_at: the deadline of the machine that it came with.
    """

    id: str
    region: str
    zone: str
    state: str
    size_gb: int
    created_at: datetime
    batch: str
    expires_at: datetime | None
    machine: str | None
    tags: Mapping[str, str]


def find_volumes(
    cloud: Cloud, *, batch: str | None = None, owner: str | None = None, attempt: str | None = None
) -> tuple[Volume, ...]:
    """Return the disks that are ours in a region, the oldest first.

    Args:
        attempt: the token of the launch that they came with.

    Raises:
        AwsError: AWS can't be asked.
    """
    wanted = tags.filters(batch=batch, owner=owner, attempt=attempt)
    pages = cloud.pages("ec2", "DescribeVolumes", Filters=wanted)
    found = [_read(row, cloud.region) for page in pages for row in page["Volumes"]]
    return tuple(sorted(found, key=lambda each: (each.created_at, each.id)))


def describe_volume(cloud: Cloud, volume_id: str) -> Volume:
    """Return a disk as it is now.

    Raises:
        AwsMissingError: there is none of that id.
    """
    rows = cloud.call("ec2", "DescribeVolumes", VolumeIds=[volume_id])["Volumes"]
    return _read(rows[0], cloud.region)


def attach_volume(cloud: Cloud, volume_id: str, *, machine: str, device: str = "/dev/sdf") -> None:
    """Attach a free disk to a machine of its zone, and wait until it is; it may be on its way there already.

    Raises:
        AwsError: AWS refuses.
        AwsUnclearError: it took too long.
    """
    try:
        cloud.call("ec2", "AttachVolume", VolumeId=volume_id, InstanceId=machine, Device=device)
    except AwsRefusedError as error:
        if error.code not in _IN_USE_CODES or describe_volume(cloud, volume_id).machine != machine:
            raise
    _wait(cloud, volume_id, lambda volume: volume.machine == machine and volume.state == IN_USE)


def detach_volume(cloud: Cloud, volume_id: str) -> None:
    """Take a disk from its machine, and wait until it is free.

    Raises:
        AwsError: AWS refuses.
        AwsUnclearError: it took too long.
    """
    try:
        cloud.call("ec2", "DetachVolume", VolumeId=volume_id)
    except AwsRefusedError as error:
        if error.code not in _IN_USE_CODES:
            raise
    _wait(cloud, volume_id, lambda volume: volume.state == AVAILABLE)


def wait_free(cloud: Cloud, volume_id: str, *, patience_s: float = 120.0) -> None:
    """Wait until a disk is free.

    Raises:
        AwsUnclearError: it took too long.
    """
    _wait(cloud, volume_id, lambda volume: volume.state == AVAILABLE, patience_s=patience_s)


def delete_volume(cloud: Cloud, volume_id: str) -> None:
    """Delete a disk for good; one that is not there is gone already.

    Raises:
        AwsError: it is in use, or AWS refuses.
    """
    try:
        cloud.call("ec2", "DeleteVolume", VolumeId=volume_id)
    except AwsMissingError:
        return


def delete_when_free(cloud: Cloud, volume_id: str, *, patience_s: float = 120.0) -> bool:
    """Delete a disk as soon as its machine lets go of it. Returns: whether it is gone.

    Raises:
        AwsError: AWS refuses.
    """
    waited_s = 0.0
    while waited_s <= patience_s:
        try:
            delete_volume(cloud, volume_id)
        except (AwsThrottledError, AwsUnclearError):
            pass
        except AwsRefusedError as error:
            if error.code not in _IN_USE_CODES:
                raise
        else:
            return True
        cloud.sleep(_EVERY_S)
        waited_s += _EVERY_S
    return False


def _wait(
    cloud: Cloud, volume_id: str, is_so: Callable[[Volume], bool], *, patience_s: float = 120.0
) -> None:
    for _ in _moments(cloud, patience_s):
        if is_so(describe_volume(cloud, volume_id)):
            return
    raise AwsUnclearError(f"{volume_id} takes longer than {patience_s:g} s.", "Try again in some minutes.")


def _moments(cloud: Cloud, patience_s: float) -> Iterator[float]:
    waited_s = 0.0
    while waited_s <= patience_s:
        yield waited_s
        cloud.sleep(_EVERY_S)
        waited_s += _EVERY_S


def _read(row: Mapping[str, Any], region: str) -> Volume:
    given = tags.from_aws(row.get("Tags"))
    attached = [each for each in row.get("Attachments", ()) if each.get("State") != "detached"]
    return Volume(
        id=row["VolumeId"],
        region=region,
        zone=row["AvailabilityZone"],
        state=row["State"],
        size_gb=row["Size"],
        created_at=row["CreateTime"],
        batch=given.get(tags.BATCH, ""),
        expires_at=tags.expiry(given),
        machine=attached[0]["InstanceId"] if attached else None,
        tags=given,
    )
