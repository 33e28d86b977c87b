"""Which image a machine starts from: the user's, an own one that fits, Amazon's, Canonical's. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.errors import AwsDeniedError, AwsMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.aws.catalogue import MachineType
    from launcher.aws.cloud import Cloud

APP_TAG = "tag:app"
HASH_TAG = "launcher:env"
GPU_TAG = "launcher:gpu"
VERIFIED_TAG = "launcher:verified"
OLDEST_CAPABILITY = 7.5  # Amazon's images have open kernel modules, which drive nothing older
DRIVER_580 = "nvidia-driver-580-server"  # the last branch that drives a V100

_BASE = tuple(
    f"/aws/service/deeplearning/ami/x86_64/{name}/latest/ami-id"
    for name in ("base-oss-nvidia-driver-gpu-ubuntu-24.04", "base-oss-nvidia-driver-ubuntu-24.04")
)
_BASE_NAME = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) ????????"
_UBUNTU = ("/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",)
_UBUNTU_NAME = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
_AMAZON = "amazon"
_CANONICAL = "099720109477"


@dataclass(frozen=True, slots=True)
class Image:
    """What a machine starts from.

    Attributes:
        root_device: under which its disk is to be named.
        size_gb: how large that disk is at least.
        login_user: the account that the image brings.
        source: where it was found, for people.
        environment: the hash of the environment that is in it already; empty where there is none.
        driver: a package that must be installed before a GPU can be seen; empty where none must.
    """

    id: str
    root_device: str
    size_gb: int
    login_user: str
    source: str
    environment: str = ""
    driver: str = ""


def find_image(cloud: Cloud, kind: MachineType, *, environment: str = "", wanted: str | None = None) -> Image:
    """Find the image for a type of machine.

    Args:
        environment: the hash of what the jobs need installed; an own image that has it is preferred.
        wanted: the image of the settings, which is taken whatever it is.

    Raises:
        AwsMissingError: there is none.
        AwsError: AWS can't be asked.
    """
    if wanted:
        return _describe(cloud, [wanted], source="the setting image")
    own = _find_own(cloud, environment, is_volta=is_volta(kind)) if environment else None
    if own:
        return own
    if kind.gpus and not is_volta(kind):
        return _find_public(cloud, _BASE, name=_BASE_NAME, owner=_AMAZON, source="Amazon's base image")
    driver = DRIVER_580 if kind.gpus else ""
    return _find_public(
        cloud, _UBUNTU, name=_UBUNTU_NAME, owner=_CANONICAL, source="Ubuntu 24.04", driver=driver
    )


def find_own_images(cloud: Cloud) -> tuple[Mapping[str, Any], ...]:
    """Return what AWS says of the account's own images that launcher made, the newest first.

    Raises:
        AwsError: they can't be listed.
    """
    found = cloud.call(
        "ec2", "DescribeImages", Owners=["self"], Filters=[{"Name": APP_TAG, "Values": ["launcher"]}]
    )
    return tuple(sorted(found["Images"], key=lambda row: str(row["CreationDate"]), reverse=True))


def tags_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of something that AWS described."""
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}


def is_volta(kind: MachineType) -> bool:
    """Tell whether a type's GPU needs a driver that Amazon's images do not have."""
    return 0 < kind.compute_capability < OLDEST_CAPABILITY


def _find_own(cloud: Cloud, environment: str, *, is_volta: bool) -> Image | None:
    wanted = "volta" if is_volta else "current"
    for row in find_own_images(cloud):
        tags = tags_of(row)
        if (
            row["State"] == "available"
            and tags.get(HASH_TAG) == environment
            and tags.get(GPU_TAG, "current") == wanted
            and VERIFIED_TAG in tags
        ):
            return _read(row, source="an own image", environment=environment)
    return None


def _find_public(
    cloud: Cloud, parameters: Sequence[str], *, name: str, owner: str, source: str, driver: str = ""
) -> Image:
    for parameter in parameters:
        try:
            value = cloud.call("ssm", "GetParameter", Name=parameter)["Parameter"]["Value"]
        except (AwsMissingError, AwsDeniedError):
            continue
        return _describe(cloud, [value], source=source, driver=driver)
    return _find_by_name(cloud, name, owner, source=source, driver=driver)


def _find_by_name(cloud: Cloud, name: str, owner: str, *, source: str, driver: str) -> Image:
    filters = [{"Name": "name", "Values": [name]}, {"Name": "state", "Values": ["available"]}]
    rows = cloud.call("ec2", "DescribeImages", Owners=[owner], Filters=filters)["Images"]
    if not rows:
        raise AwsMissingError(
            f"{source} is not to be found in {cloud.region}: there is none named {name}.",
            'Name an image in the settings: image = "ami-…", or run launcher ami build.',
            action="DescribeImages",
        )
    return _read(max(rows, key=lambda row: str(row["CreationDate"])), source=source, driver=driver)


def _describe(cloud: Cloud, ids: Sequence[str], *, source: str, driver: str = "") -> Image:
    rows = cloud.call("ec2", "DescribeImages", ImageIds=list(ids))["Images"]
    if not rows:
        raise AwsMissingError(
            f"The image {ids[0]} ({source}) is not there in {cloud.region}.",
            "Name another in the settings, or none.",
            action="DescribeImages",
        )
    return _read(rows[0], source=source, driver=driver)


def _read(row: Mapping[str, Any], *, source: str, driver: str = "", environment: str = "") -> Image:
    root = row.get("RootDeviceName") or "/dev/sda1"
    disks = (disk for disk in row.get("BlockDeviceMappings", ()) if disk.get("DeviceName") == root)
    return Image(
        id=row["ImageId"],
        root_device=root,
        size_gb=next((disk.get("Ebs", {}).get("VolumeSize", 0) for disk in disks), 0),
        login_user="ec2-user" if "amazon linux" in str(row.get("Name", "")).lower() else "ubuntu",
        source=source,
        environment=environment,
        driver=driver,
    )
