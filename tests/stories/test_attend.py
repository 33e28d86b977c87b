"""A machine that does not answer is asked after at AWS, and not more often than it has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from launcher.attend import Attendance
from launcher.errors import HostKeyError, MachineGoneError, SshTimeoutError
from launcher.results.place import Rented
from tests.aws.kit import try_launch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine
    from tests.fake_ec2 import FakeEc2

SILENT = SshTimeoutError("It does not answer.", "Wait.")
ANOTHER = HostKeyError("It may be another computer.", "Do not connect.")


class Asking(NamedTuple):
    """Of how machines are rented, what asking after one needs."""

    cloud_of: Callable[[str], Cloud]
    clock: Callable[[], float]
    tell: Callable[[str], None] = print


def attend(machine: Machine, cloud: Cloud, clock: Callable[[], float]) -> Attendance:
    rented = Rented(
        machine=machine.id,
        region=machine.region,
        zone=machine.zone,
        type=machine.type,
        market=machine.market,
        usd_per_hour=1.0,
        launched_at=machine.launched_at.isoformat(),
        expires_at=str(machine.expires_at),
        address="",
        volume="",
        key="key",
    )
    return Attendance(rented, Asking(lambda _: cloud, clock))  # type: ignore[arg-type]


def asked(fake: FakeEc2) -> int:
    return sum(call.action == "DescribeInstances" for call in fake.calls)


def test_a_silent_machine_is_asked_after_once_a_minute(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    now_s = [0.0]
    attendance = attend(try_launch(fake_ec2, cloud, tmp_path), cloud, lambda: now_s[0])
    before = asked(fake_ec2)

    for _ in range(150):
        attendance.ask_after(SILENT)
        now_s[0] += 1.0

    assert asked(fake_ec2) - before == 3


def test_where_somebody_else_answers_the_machine_is_asked_after_at_once(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    attendance = attend(machine, cloud, lambda: 0.0)
    attendance.ask_after(SILENT)
    fake_ec2.machines.shut_down([machine.id], reason="Client.InstanceInitiatedShutdown")

    attendance.ask_after(SILENT)
    with pytest.raises(MachineGoneError, match=machine.id):
        attendance.ask_after(ANOTHER)
