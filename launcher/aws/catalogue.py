"""A dated table of machine types: shapes, quota families, list prices. Decides what can be decided offline.

The table's prices are of us-east-1, which us-west-2 and us-east-2 share; elsewhere they are that times a
factor. Where AWS can be asked, its own word counts: what is retired here may still be offered somewhere.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Family: TypeAlias = Literal["G", "P", "standard"]
Status: TypeAlias = Literal["current", "legacy", "retired", "arm"]

AS_OF = "2026-07-20"
GP3_USD_PER_GB_HOUR = 0.08 / 730
ADDRESS_USD_PER_HOUR = 0.005
_TABLE = Path(__file__).with_name("catalogue.csv")

# What a region costs, as a multiple of us-east-1: list prices of g5 and g6 of 2026-08.
_REGIONS: Mapping[str, float] = {
    "us-east-1": 1.0,
    "us-east-2": 1.0,
    "us-west-2": 1.0,
    "eu-north-1": 1.061,
    "ca-central-1": 1.111,
    "eu-west-1": 1.117,
    "ap-south-1": 1.201,
    "ap-northeast-2": 1.230,
    "eu-central-1": 1.251,
    "eu-west-2": 1.270,
    "eu-west-3": 1.270,
    "ap-southeast-2": 1.301,
    "ap-southeast-1": 1.400,
    "ap-northeast-1": 1.451,
    "sa-east-1": 1.700,
}
_ELSEWHERE = max(_REGIONS.values())  # a ceiling must not be too low


@dataclass(frozen=True, slots=True)
class MachineType:
    """What a machine of a type has.

    Attributes:
        gpu_mib: of one GPU.
        family: which quota it counts against.
        status: legacy is still there but no longer built, retired is gone, arm runs none
            of our environments.
        list_usd_per_hour: of us-east-1; None is not known.
    """

    name: str
    gpus: int
    gpu_name: str
    gpu_mib: int
    compute_capability: float
    vcpus: int
    memory_gib: float
    family: Family
    status: Status
    list_usd_per_hour: float | None


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars an hour on a day; an estimate where no one was asked."""

    usd_per_hour: float
    as_of: str
    is_estimate: bool

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return f"list price of {self.as_of}, estimate" if self.is_estimate else "AWS"


@cache
def machine_types() -> Mapping[str, MachineType]:
    """Return all types of the table, the newest lines of a family first."""
    with _TABLE.open(encoding="ascii", newline="") as table:
        return MappingProxyType({row["name"]: _read_row(row) for row in csv.DictReader(table)})


def family_of(name: str) -> Family:
    """Return which quota a type counts against; its name says it."""
    letter = name[:1]
    return cast("Family", letter.upper()) if letter in ("g", "p") else "standard"


def list_price(kind: MachineType, region: str) -> Price | None:
    """Return the list price on demand, as of the table; None where it has none."""
    if kind.list_usd_per_hour is None:
        return None
    usd = kind.list_usd_per_hour * _REGIONS.get(region, _ELSEWHERE)
    return Price(round(usd, 4), AS_OF, is_estimate=True)


def extra_usd_per_hour(disk_gb: float) -> float:
    """Return what a machine's disk and its public address cost beside it."""
    return disk_gb * GP3_USD_PER_GB_HOUR + ADDRESS_USD_PER_HOUR


def nearest(name: str, *, count: int = 3) -> tuple[str, ...]:
    """Return current types that have as many GPUs and at least as many vCPUs, one of each line."""
    wanted = machine_types().get(name)
    if wanted is None:
        return ()
    fitting: dict[str, MachineType] = {}
    for kind in sorted(machine_types().values(), key=lambda kind: kind.vcpus):
        if kind.status == "current" and kind.gpus == wanted.gpus and kind.vcpus >= wanted.vcpus:
            fitting.setdefault(_line(kind.name), kind)
    lines = dict.fromkeys(map(_line, machine_types()))
    return tuple(fitting[line].name for line in lines if line in fitting)[:count]


def _line(name: str) -> str:
    return name.partition(".")[0]


def _read_row(row: Mapping[str, str]) -> MachineType:
    return MachineType(
        name=row["name"],
        gpus=int(row["gpus"]),
        gpu_name=row["gpu_name"],
        gpu_mib=int(row["gpu_mib"]),
        compute_capability=float(row["compute_capability"]),
        vcpus=int(row["vcpus"]),
        memory_gib=float(row["memory_gib"]),
        family=cast("Family", row["family"]),
        status=cast("Status", row["status"]),
        list_usd_per_hour=float(row["usd_per_hour"]),
    )
