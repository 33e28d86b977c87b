"""Learn what became of a launch that was cut off, and end it where it is not wanted. Buys nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from launcher.aws import machines
from launcher.aws.schedules import delete_schedule
from launcher.aws.volumes import delete_when_free, find_volumes
from launcher.errors import AwsMissingError, AwsUnclearError

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.aws.cloud import Cloud
    from launcher.aws.intent import Attempt, Intent
    from launcher.aws.machines import Machine

_HEARD_S = 120.0  # by then AWS shows what a request that was cut off has bought
_EVERY_S = 5.0


def find_launched(cloud_of: Callable[[str], Cloud], intent: Intent) -> Machine | None:
    """Return the machine that an intent got, alive or not. Waits until that is sure.

    An attempt that bought nothing is written down as such.
    """
    record = intent.record
    if record.attempt is None:
        return None
    cloud = cloud_of(record.attempt.region)
    machine = _find_known(cloud, record.machine) if record.machine else _find_by_token(cloud, record.attempt)
    if machine is None:
        intent.refused("its machine is gone" if record.machine else "it bought nothing")
    elif not record.machine:
        intent.launched(machine.id)
    return machine


def abandon(cloud_of: Callable[[str], Cloud], intent: Intent, *, why: str) -> tuple[str, ...]:
    """End what an intent got and wait until it is gone: machine, schedule, disk; then close it.

    The disk goes where its results are home, and where nobody ever reached the machine, so that there are
    none. Else it stays, and is found by its tags.

    Returns:
        ids of what is still there; the intent stays open then.

    Raises:
        UsageError: another process of this computer launches for it.
        AwsError: AWS can't be asked, or refuses.
    """
    with intent.held():
        left = _end_all(cloud_of, intent)
        if not left:
            intent.close(why)
    return left


def _end_all(cloud_of: Callable[[str], Cloud], intent: Intent) -> tuple[str, ...]:
    record = intent.record
    if record.attempt is None:
        return ()
    cloud, token = cloud_of(record.attempt.region), record.attempt.token
    machine = find_launched(cloud_of, intent)
    if machine and (left := machines.end(cloud, [machine.id], seen=True)):
        return left
    if record.schedule:
        delete_schedule(cloud, record.schedule)
    if record.machine and not record.are_results_home:
        return ()
    disks = find_volumes(cloud, attempt=token)
    return tuple(disk.id for disk in disks if not delete_when_free(cloud, disk.id))


def is_heard(cloud: Cloud, attempt: Attempt) -> bool:
    """Whether an attempt is so old that AWS shows by now what it bought."""
    return (cloud.clock() - datetime.fromisoformat(attempt.at)).total_seconds() >= _HEARD_S


def _find_known(cloud: Cloud, machine_id: str) -> Machine | None:
    try:
        return machines.describe(cloud, machine_id)
    except AwsMissingError:
        return None


def _find_by_token(cloud: Cloud, attempt: Attempt) -> Machine | None:
    waited_s = 0.0
    while True:
        try:
            if found := machines.find_by_token(cloud, attempt.token):
                return found
        except AwsUnclearError:
            pass
        else:
            if waited_s >= _HEARD_S or is_heard(cloud, attempt):
                return None
        cloud.sleep(_EVERY_S)
        waited_s += _EVERY_S
