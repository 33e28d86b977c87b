"""How much more the account may rent: quotas in vCPUs by family and market, less what runs. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.aws.catalogue import family_of, machine_types
from launcher.errors import AwsMissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from launcher.aws.cloud import Cloud

_ON_DEMAND = {"P": "L-417A185B", "G": "L-DB2E81BA", "standard": "L-1216C47A"}
_SPOT = {"P": "L-7212CCBC", "G": "L-3819A6DF", "standard": "L-34B43A08"}
_SPOT_P5 = "L-C4BD4855"
_BILLED = ["pending", "running", "stopping"]


@dataclass(frozen=True, slots=True)
class Quota:
    """How many vCPUs the account may have of a family and market, and has."""

    code: str
    limit: float
    in_use: float
    region: str

    @property
    def left(self) -> float:
        """How many vCPUs may still be rented."""
        return max(self.limit - self.in_use, 0.0)

    @property
    def url(self) -> str:
        """Where more can be asked for."""
        return quota_url(self.code, self.region)


def quota_url(code: str, region: str) -> str:
    """Return the page on which a quota is raised."""
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/{code}"


def quota_code(name: str, market: str) -> str:
    """Return the code of the quota that a type counts against."""
    if market != "spot":
        return _ON_DEMAND[family_of(name)]
    return _SPOT_P5 if name.startswith("p5") else _SPOT[family_of(name)]


def read_quotas(cloud: Cloud, codes: Collection[str]) -> dict[str, Quota]:
    """Return the quotas of these codes, as far as there are any, and what of them is in use.

    Raises:
        AwsError: they may not be read.
    """
    read = ((code, _read_limit(cloud, code)) for code in sorted(codes))
    limits = {code: limit for code, limit in read if limit is not None}
    in_use = dict.fromkeys(limits, 0.0)
    for code, vcpus in _running(cloud):
        if code in in_use:
            in_use[code] += vcpus
    return {code: Quota(code, limit, in_use[code], cloud.region) for code, limit in limits.items()}


def _read_limit(cloud: Cloud, code: str) -> float | None:
    try:
        answer = cloud.call("service-quotas", "GetServiceQuota", ServiceCode="ec2", QuotaCode=code)
    except AwsMissingError:
        return None
    return float(answer["Quota"]["Value"])


def _running(cloud: Cloud) -> Iterator[tuple[str, float]]:
    states = [{"Name": "instance-state-name", "Values": _BILLED}]
    for page in cloud.pages("ec2", "DescribeInstances", Filters=states):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                market = instance.get("InstanceLifecycle", "on-demand")
                yield quota_code(instance["InstanceType"], market), _vcpus(instance)


def _vcpus(instance: Mapping[str, Any]) -> float:
    options = instance.get("CpuOptions") or {}
    if options.get("CoreCount"):
        return float(options["CoreCount"] * options.get("ThreadsPerCore", 1))
    kind = machine_types().get(instance["InstanceType"])
    return float(kind.vcpus) if kind else 0.0
