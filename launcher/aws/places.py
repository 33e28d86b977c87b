"""Where a machine could stand: zones that offer a type, subnets in them, shapes of types. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.aws.catalogue import MachineType, family_of, machine_types
from launcher.errors import AwsSetupError, AwsTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.aws.cloud import Cloud

_MAKE_VPC = "aws ec2 create-default-vpc"


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet into which machines can be launched."""

    id: str
    vpc: str
    zone: str
    free_addresses: int


def find_zones(cloud: Cloud, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the zones in which each type is offered, sorted; a type that is offered nowhere has none.

    Raises:
        AwsError: AWS can't be asked.
    """
    pages = cloud.pages(
        "ec2",
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(names)}],
    )
    found: dict[str, set[str]] = {name: set() for name in names}
    for page in pages:
        for row in page["InstanceTypeOfferings"]:
            found[row["InstanceType"]].add(row["Location"])
    return {name: tuple(sorted(zones)) for name, zones in found.items()}


def find_subnets(cloud: Cloud, subnet: str | None) -> dict[str, Subnet]:
    """Return a subnet for each zone: those of the default VPC, or the one that is named.

    Raises:
        AwsSetupError: there is no default VPC with a subnet.
        AwsMissingError: there is no such subnet.
    """
    asked: dict[str, Any] = (
        {"SubnetIds": [subnet]}
        if subnet
        else {
            "Filters": [
                {"Name": "default-for-az", "Values": ["true"]},
                {"Name": "state", "Values": ["available"]},
            ]
        }
    )
    rows = cloud.call("ec2", "DescribeSubnets", **asked)["Subnets"]
    if not rows:
        raise AwsSetupError(
            f"There is no default VPC with a subnet in {cloud.region}.",
            f'Run: {_MAKE_VPC} --region {cloud.region}; or write a setting: subnet = "subnet-…".',
            action="DescribeSubnets",
        )
    return {
        row["AvailabilityZone"]: Subnet(
            row["SubnetId"], row["VpcId"], row["AvailabilityZone"], row["AvailableIpAddressCount"]
        )
        for row in rows
    }


def find_shapes(cloud: Cloud, names: Sequence[str]) -> dict[str, MachineType]:
    """Return what each type has; AWS is asked for those that the table does not know.

    Raises:
        AwsError: AWS can't be asked.
    """
    table = machine_types()
    known = {name: table[name] for name in names if name in table}
    for name in names:
        if name not in known and (found := _describe(cloud, name)):
            known[name] = found
    return known


def _describe(cloud: Cloud, name: str) -> MachineType | None:
    try:
        rows = cloud.call("ec2", "DescribeInstanceTypes", InstanceTypes=[name])["InstanceTypes"]
    except AwsTypeError:
        return None
    return next((_shape(row) for row in rows), None)


def _shape(row: Mapping[str, Any]) -> MachineType:
    gpus = row.get("GpuInfo", {}).get("Gpus", ())
    first = gpus[0] if gpus else {}
    # A share of a GPU is told as none with some memory; a run sees one.
    count = sum(max(gpu.get("Count", 0), 1) for gpu in gpus)
    is_nvidia = first.get("Manufacturer") == "NVIDIA"
    is_x86 = "x86_64" in row["ProcessorInfo"]["SupportedArchitectures"]
    return MachineType(
        name=row["InstanceType"],
        gpus=count if is_nvidia else 0,
        gpu_name=first.get("Name", "") if is_nvidia else "",
        gpu_mib=first.get("MemoryInfo", {}).get("SizeInMiB", 0),
        compute_capability=0.0,
        vcpus=row["VCpuInfo"]["DefaultVCpus"],
        memory_gib=row["MemoryInfo"]["SizeInMiB"] / 1024,
        family=family_of(row["InstanceType"]),
        status="current" if is_x86 else "arm",
        list_usd_per_hour=None,
    )
