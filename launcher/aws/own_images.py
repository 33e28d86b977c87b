"""Images that launcher made: create one from a machine, list, mark as verified, retire with its snapshots."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from launcher.aws import tags
from launcher.aws.images import GPU_TAG, VERIFIED_TAG, find_own_images
from launcher.errors import AwsMissingError, AwsRefusedError, AwsUnclearError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.aws.cloud import Cloud

AVAILABLE, PENDING = "available", "pending"
_SNAPSHOT_USD_PER_GB_MONTH = 0.05
_EVERY_S = 15.0
_READY_WITHIN_S = 40 * 60.0


@dataclass(frozen=True, slots=True)
class OwnImage:
    """An image that launcher made.

    Attributes:
        environment: the hash of what is installed in it.
        gpu: "current", or "volta" for one with the old driver.
        verified_at: when a machine that started from it was seen to work; empty is never.
        usd_per_month: what its snapshots cost at most.
    """

    id: str
    name: str
    region: str
    state: str
    created_at: datetime
    environment: str
    gpu: str
    verified_at: str
    size_gb: int
    snapshots: tuple[str, ...]

    @property
    def usd_per_month(self) -> float:
        """What keeping it costs at most: only blocks that were written count."""
        return self.size_gb * _SNAPSHOT_USD_PER_GB_MONTH


def list_images(cloud: Cloud) -> tuple[OwnImage, ...]:
    """Return the images of a region, the newest first.

    Raises:
        AwsError: AWS can't be asked.
    """
    return tuple(_read(row, cloud.region) for row in find_own_images(cloud))


def create_image(cloud: Cloud, machine: str, *, name: str, environment: str, gpu: str, owner: str) -> str:
    """Make an image of a machine's disk as it is, while the machine goes on. Returns: its id.

    Raises:
        AwsDuplicateError: there is one of that name.
        AwsError: AWS refuses.
    """
    given = {
        "app": tags.APP,
        "Name": name,
        tags.OWNER: owner,
        tags.ENVIRONMENT: environment,
        GPU_TAG: gpu,
    }
    made = cloud.call(
        "ec2",
        "CreateImage",
        InstanceId=machine,
        Name=name,
        Description="Made by launcher ami build",
        NoReboot=True,  # its end is in memory alone by now, and a restart would forget it
        TagSpecifications=tags.for_kinds(given, ("image", "snapshot")),
    )
    return str(made["ImageId"])


def wait_available(cloud: Cloud, image: str) -> OwnImage:
    """Wait until machines can start from an image.

    Raises:
        AwsRefusedError: it failed.
        AwsUnclearError: it took too long.
    """
    waited_s = 0.0
    while waited_s <= _READY_WITHIN_S:
        found = next((each for each in list_images(cloud) if each.id == image), None)
        if found and found.state == AVAILABLE:
            return found
        if found and found.state != PENDING:
            raise AwsRefusedError(
                f"{image} is {found.state}.", f"Remove it: launcher ami retire {image}", action="CreateImage"
            )
        cloud.sleep(_EVERY_S)
        waited_s += _EVERY_S
    raise AwsUnclearError(
        f"{image} is not ready after {_READY_WITHIN_S / 60:.0f} minutes.",
        f"Look again: launcher ami list; or remove it: launcher ami retire {image}",
        action="CreateImage",
    )


def mark_verified(cloud: Cloud, image: str, at: datetime) -> None:
    """Say that a machine that started from an image was seen to work: from now on it is preferred.

    Raises:
        AwsError: AWS refuses.
    """
    cloud.call(
        "ec2",
        "CreateTags",
        Resources=[image],
        Tags=tags.to_aws({VERIFIED_TAG: at.isoformat(timespec="seconds")}),
    )


def retire(cloud: Cloud, image: OwnImage) -> None:
    """Remove an image and what it costs: its snapshots. What is gone already is no error.

    Raises:
        AwsError: AWS refuses.
    """
    with suppress(AwsMissingError):
        cloud.call("ec2", "DeregisterImage", ImageId=image.id)
    for snapshot in image.snapshots:
        with suppress(AwsMissingError):
            cloud.call("ec2", "DeleteSnapshot", SnapshotId=snapshot)


def _read(row: Mapping[str, Any], region: str) -> OwnImage:
    known = tags.from_aws(row.get("Tags"))
    disks = [disk["Ebs"] for disk in row.get("BlockDeviceMappings", ()) if "Ebs" in disk]
    return OwnImage(
        id=row["ImageId"],
        name=str(row.get("Name", "")),
        region=region,
        state=row["State"],
        created_at=datetime.fromisoformat(row["CreationDate"]),
        environment=known.get(tags.ENVIRONMENT, ""),
        gpu=known.get(GPU_TAG, "current"),
        verified_at=known.get(VERIFIED_TAG, ""),
        size_gb=sum(disk.get("VolumeSize", 0) for disk in disks),
        snapshots=tuple(disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")),
    )
