"""Schedules that really fire: EventBridge Scheduler's `at(...)` on TerminateInstances."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fake_ec2 import moto_state as moto
from tests.fake_ec2.launches import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_ec2.call import Call

TERMINATE = "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances"


def fire_due(*, now: float, terminate: Callable[[list[str]], object]) -> None:
    """Do what schedules say whose time has come, and remove those that say so."""
    for region in moto.scheduler_regions():
        for group, schedule in moto.schedules(region):
            if now >= _at(schedule.schedule_expression):
                if schedule.target["Arn"] == TERMINATE:
                    terminate(_instances(schedule.target))
                group.delete_schedule(schedule.name)


def check_schedule(call: Call, *, now: float) -> None:
    """Refuse what AWS refuses and moto does not.

    Raises:
        RefusedError: the time is past or unreadable, or the target lacks a role.
    """
    expression = str(call.params.get("ScheduleExpression", ""))
    if not re.fullmatch(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)", expression):
        raise RefusedError("ValidationException", f"Invalid Schedule Expression {expression}.")
    if _at(expression) <= now:
        raise RefusedError("ValidationException", "Invalid request: the time is in the past.")
    if not call.params.get("Target", {}).get("RoleArn"):
        raise RefusedError("ValidationException", "Target.RoleArn is missing.")


def _at(expression: str) -> float:
    match = re.fullmatch(r"at\((.+)\)", expression)
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp() if match else float("inf")


def _instances(target: dict[str, Any]) -> list[str]:
    return [str(each) for each in json.loads(target.get("Input") or "{}").get("InstanceIds", ())]
