"""The settings that there are: what each means, what it may be. Reads nothing."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
_DURATION = r"^([0-9]+(\.[0-9]+)?[dhms])+$"
_ADDRESSES = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/([12]?[0-9]|3[0-2])$"

# What is expected, and an example: both stand in errors.
EXPECTED: dict[str, tuple[str, str | int | list[str]]] = {
    "on": ("a place", "local"),
    "slots": ("a whole number from 1 on", 2),
    "profile": ("the name of an AWS profile", "default"),
    "regions": ("a list of AWS regions", ["us-west-2"]),
    "subnet": ("a subnet's id", "subnet-0123456789abcdef0"),
    "cidr": ("a range of IPv4 addresses", "203.0.113.7/32"),
    "image": ("an image's id", "ami-0123456789abcdef0"),
    "disk_gb": ("a whole number from 8 to 16000", 100),
    "ask_above_usd": ("an amount of US dollars", 5),
    "reaper_role": ("the ARN of a role", "arn:aws:iam::123456789012:role/launcher-reaper"),
    "bucket": ("the name of an S3 bucket", "my-results"),
    "deadman_s": ("a number of seconds from 1 to 600", 60),
    "keep": ("a duration", "30m"),
}


def _split(value: Any) -> Any:
    """Read the list that a file has, or the one line that an environment variable has."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    return tuple(value) if isinstance(value, list) else value


Region: TypeAlias = Annotated[str, Field(pattern=_REGION)]


class Settings(BaseModel):
    """Where batches run.

    Attributes:
        on: the place, as after `--on`.
        slots: how many runs at a time; None is what the place offers.
        profile: which of AWS' credentials; None is what the environment says.
        regions: where machines are looked for beside the regions that batches used.
        subnet: into which machines are launched; None is any of the default VPC.
        cidr: the addresses that may reach a machine; None is this computer's.
        image: what machines start from; None is the best that there is.
        disk_gb: how large a machine's disk is at least.
        ask_above_usd: a dearer batch is asked about once, unless --yes; 0 asks about every one.
        reaper_role: with which EventBridge Scheduler ends a machine, as a second line.
        bucket: where machines put copies of their results.
        deadman_s: how often a machine looks whether it must end.
        keep: how long a machine with nothing left to run waits for home, as a duration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: str = Field("local", min_length=1)
    slots: int | None = Field(None, ge=1)
    profile: str | None = Field(None, min_length=1)
    regions: Annotated[tuple[Region, ...], BeforeValidator(_split)] = ()
    subnet: str | None = Field(None, pattern=r"^subnet-[0-9a-f]+$")
    cidr: str | None = Field(None, pattern=_ADDRESSES)
    image: str | None = Field(None, pattern=r"^ami-[0-9a-f]+$")
    disk_gb: int = Field(100, ge=8, le=16000)
    ask_above_usd: float = Field(0.0, ge=0, allow_inf_nan=False)
    reaper_role: str | None = Field(None, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$")
    bucket: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    deadman_s: float = Field(60.0, ge=1, le=600, allow_inf_nan=False)
    keep: str = Field("15m", pattern=_DURATION)
