"""A second line behind the machine's own deadline: EventBridge ends it even where it hangs. Needs a role."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from launcher.errors import AwsDuplicateError, AwsMissingError

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud

_PREFIX = "launcher-"
_TARGET = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"
_LATER = timedelta(minutes=5)  # the machine is first to end itself
_NAME_MOST = 64
_NOT_ALLOWED = re.compile(r"[^0-9a-zA-Z_.-]")


@dataclass(frozen=True, slots=True)
class Schedule:
    """That something will be ended.

    Attributes:
        at: when, UTC; None where it can't be read.
        machine: which; empty where it can't be read.
    """

    name: str
    region: str
    at: datetime | None
    machine: str


def schedule_name(batch: str, machine_id: str) -> str:
    """Return the name of a machine's schedule."""
    stem = _NOT_ALLOWED.sub("_", batch)[: _NAME_MOST - len(_PREFIX) - len(machine_id) - 1]
    return f"{_PREFIX}{stem}-{machine_id}"


def create_schedule(cloud: Cloud, *, batch: str, machine_id: str, deadline: datetime, role: str) -> str:
    """See that EventBridge ends a machine some minutes after its deadline. Returns: the schedule's name.

    Raises:
        AwsError: AWS refuses.
    """
    name = schedule_name(batch, machine_id)
    at = (deadline.astimezone(UTC) + _LATER).replace(second=0, microsecond=0) + timedelta(minutes=1)
    target = {"Arn": _TARGET, "RoleArn": role, "Input": json.dumps({"InstanceIds": [machine_id]})}
    what: dict[str, Any] = {
        "Name": name,
        "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": target,
    }
    try:
        cloud.call("scheduler", "CreateSchedule", **what)
    except AwsDuplicateError:
        cloud.call("scheduler", "UpdateSchedule", **what)
    return name


def delete_schedule(cloud: Cloud, name: str) -> None:
    """Take a schedule away; one that is not there is gone already.

    Raises:
        AwsError: AWS refuses.
    """
    try:
        cloud.call("scheduler", "DeleteSchedule", Name=name)
    except AwsMissingError:
        return


def find_schedules(cloud: Cloud) -> tuple[Schedule, ...]:
    """Return our schedules in a region.

    Raises:
        AwsError: AWS can't be asked.
    """
    pages = cloud.pages("scheduler", "ListSchedules", NamePrefix=_PREFIX)
    return tuple(_read(cloud, row["Name"]) for page in pages for row in page["Schedules"])


def _read(cloud: Cloud, name: str) -> Schedule:
    machine = re.search(r"i-[0-9a-f]+$", name)
    row = cloud.call("scheduler", "GetSchedule", Name=name)
    at = re.fullmatch(r"at\((.+)\)", row["ScheduleExpression"])
    when = datetime.fromisoformat(at[1]).replace(tzinfo=UTC) if at else None
    return Schedule(name, cloud.region, when, machine[0] if machine else "")
