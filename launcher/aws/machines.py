"""Machines: find those that are ours, wait until one runs, end them and wait until they are gone.

A new machine may be unknown to AWS for some seconds, and one that ended an hour ago is unknown for good. So
what is not found was not necessarily never there; who asks says what it means.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.aws import tags
from launcher.errors import AwsCapacityError, AwsMissingError, AwsThrottledError, AwsUnclearError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from launcher.aws.cloud import Cloud

PENDING, RUNNING, STOPPING, STOPPED = "pending", "running", "stopping", "stopped"
SHUTTING_DOWN, TERMINATED = "shutting-down", "terminated"
EXISTING = (PENDING, RUNNING, STOPPING, STOPPED)
_UNCLEAR = "unclear"
_ENDING = (SHUTTING_DOWN, TERMINATED)
_FIRST_PAUSE_S, _GROWTH, _LONGEST_PAUSE_S = 1.0, 1.5, 15.0
_HIDDEN_S = 60.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A rented node, as AWS describes it.

    Attributes:
        market: "on-demand" or "spot".
        address: at which it is reached; None as long as it has none.
        expires_at: its deadline; None where its tag can't be read.
        volumes: ids of its disks by device.
        reason: why it is in its state, where AWS says so.
    """

    id: str
    region: str
    zone: str
    type: str
    market: str
    state: str
    address: str | None
    launched_at: datetime
    batch: str
    expires_at: datetime | None
    tags: Mapping[str, str]
    volumes: Mapping[str, str]
    image: str = ""
    token: str = ""
    reason: str = ""
    vpc: str = ""

    @property
    def is_ending(self) -> bool:
        """Whether it has ended or is about to."""
        return self.state in _ENDING

    @property
    def host_key(self) -> str | None:
        """The public key by which it proves who it is, once that was changed."""
        return self.tags.get(tags.HOST_KEY)


def find_machines(
    cloud: Cloud, *, batch: str | None = None, owner: str | None = None, states: Sequence[str] = EXISTING
) -> tuple[Machine, ...]:
    """Return the machines that are ours in a region, the oldest first.

    Raises:
        AwsError: AWS can't be asked.
    """
    wanted = tags.filters(batch=batch, owner=owner, instance_state_name=states)
    return tuple(sorted(_describe(cloud, Filters=wanted), key=lambda each: (each.launched_at, each.id)))


def find_by_token(cloud: Cloud, token: str) -> Machine | None:
    """Return the machine that a launch got; None where there is none that AWS shows by now."""
    wanted = [{"Name": "client-token", "Values": [token]}]
    return next(iter(_describe(cloud, Filters=wanted)), None)


def describe(cloud: Cloud, machine_id: str) -> Machine:
    """Return a machine as it is now.

    Raises:
        AwsMissingError: AWS doesn't show it yet, or not any more.
    """
    found = list(_describe(cloud, InstanceIds=[machine_id]))
    if not found:
        raise AwsMissingError(f"AWS doesn't show {machine_id}.", "Look again with launcher ps.")
    return found[0]


def wait_running(cloud: Cloud, machine_id: str, *, patience_s: float = 600.0) -> Machine:
    """Wait until a machine runs and has an address.

    Raises:
        AwsCapacityError: it ended instead; its reason says why.
        AwsUnclearError: it did neither in time.
    """
    for waited_s in _moments(cloud, patience_s):
        try:
            machine = describe(cloud, machine_id)
        except AwsMissingError:
            if waited_s > _HIDDEN_S:
                raise
            continue
        except (AwsThrottledError, AwsUnclearError):
            continue
        if machine.state == RUNNING and machine.address:
            return machine
        if machine.state not in (PENDING, RUNNING):
            raise AwsCapacityError(
                f"{machine_id} ended at once: {machine.reason or machine.state}.", "Try another zone or type."
            )
    raise AwsUnclearError(f"{machine_id} does not run after {patience_s:g} s.", "End it: launcher reap.")


def terminate(cloud: Cloud, machine_ids: Sequence[str]) -> None:
    """Begin the end of machines; one that AWS doesn't know has none to end.

    Raises:
        AwsError: AWS can't be asked, or refuses.
    """
    for machine_id in machine_ids:  # one by one: a single unknown id would refuse all
        with suppress(AwsMissingError):
            cloud.call("ec2", "TerminateInstances", InstanceIds=[machine_id])


def wait_gone(
    cloud: Cloud, machine_ids: Sequence[str], *, patience_s: float = 600.0, seen: bool = True
) -> tuple[str, ...]:
    """Wait until machines are gone for good, without ending them.

    Args:
        seen: whether AWS has shown them before: only then is one that it doesn't know gone at once.

    Returns:
        those that are still there when the patience is over.
    """
    return _wait(cloud, machine_ids, patience_s=patience_s, seen=seen, ends=False)


def end(
    cloud: Cloud, machine_ids: Sequence[str], *, patience_s: float = 600.0, seen: bool = False
) -> tuple[str, ...]:
    """End machines and wait until they are gone; asks again as long as AWS gives no clear answer.

    Args:
        seen: whether AWS has shown them before: only then is one that it doesn't know gone at once.

    Returns:
        those that are still there when the patience is over.

    Raises:
        AwsError: AWS refuses.
    """
    return _wait(cloud, machine_ids, patience_s=patience_s, seen=seen, ends=True)


def set_tag(cloud: Cloud, resource: str, key: str, value: str) -> None:
    """Give a tag to something of ours.

    Raises:
        AwsError: AWS can't be asked, or refuses.
    """
    cloud.call("ec2", "CreateTags", Resources=[resource], Tags=tags.to_aws({key: value}))


def read_machine(row: Mapping[str, Any], region: str) -> Machine:
    """Read a machine as AWS describes it."""
    given = tags.from_aws(row.get("Tags"))
    reason = row.get("StateReason", {}).get("Message") or row.get("StateTransitionReason", "")
    return Machine(
        id=row["InstanceId"],
        region=region,
        zone=row.get("Placement", {}).get("AvailabilityZone", ""),
        type=row["InstanceType"],
        market=row.get("InstanceLifecycle", "on-demand"),
        state=row["State"]["Name"],
        address=row.get("PublicIpAddress") or None,
        launched_at=row["LaunchTime"],
        batch=given.get(tags.BATCH, ""),
        expires_at=tags.expiry(given),
        tags=given,
        volumes={each["DeviceName"]: each["Ebs"]["VolumeId"] for each in row.get("BlockDeviceMappings", ())},
        image=row.get("ImageId", ""),
        token=row.get("ClientToken", ""),
        reason=reason,
        vpc=row.get("VpcId", ""),
    )


def _describe(cloud: Cloud, **what: Any) -> Iterator[Machine]:
    for page in cloud.pages("ec2", "DescribeInstances", **what):
        for reservation in page["Reservations"]:
            for row in reservation["Instances"]:
                yield read_machine(row, cloud.region)


def _wait(
    cloud: Cloud, machine_ids: Sequence[str], *, patience_s: float, seen: bool, ends: bool
) -> tuple[str, ...]:
    left = dict.fromkeys(machine_ids, seen)
    for waited_s in _moments(cloud, patience_s):
        for machine_id in tuple(left):
            state = _state(cloud, machine_id)
            left[machine_id] |= state not in ("", _UNCLEAR)
            if state == TERMINATED or (not state and (left[machine_id] or waited_s > _HIDDEN_S)):
                del left[machine_id]
            elif ends and state not in (SHUTTING_DOWN, _UNCLEAR):
                _try_to_terminate(cloud, machine_id)
        if not left:
            break
    return tuple(left)


def _state(cloud: Cloud, machine_id: str) -> str:
    """Return the state of a machine; empty where AWS doesn't know it."""
    try:
        return describe(cloud, machine_id).state
    except AwsMissingError:
        return ""
    except (AwsThrottledError, AwsUnclearError):
        return _UNCLEAR


def _try_to_terminate(cloud: Cloud, machine_id: str) -> None:
    with suppress(AwsThrottledError, AwsUnclearError):
        terminate(cloud, [machine_id])


def _moments(cloud: Cloud, patience_s: float) -> Iterator[float]:
    """Yield how long it has been waited, again and again until the patience is over."""
    waited_s, pause_s = 0.0, _FIRST_PAUSE_S
    while waited_s <= patience_s:
        yield waited_s
        cloud.sleep(pause_s)
        waited_s, pause_s = waited_s + pause_s, min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
    return
