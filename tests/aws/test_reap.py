"""What is mine is found by tag alone; what should not be there ends, and no unseen result with it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from launcher.aws import machines, schedules, security
from launcher.aws.intent import CLOSED, intent_of
from launcher.errors import AwsUnclearError, UsageError
from launcher.reap import Found, carry_out, choose, look
from launcher.report.owned import owned_json, owned_lines
from tests.aws.kit import BATCH, LIFE_S, offers, try_launch

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from launcher.report.owned import Owned
    from tests.fake_ec2 import FakeEc2

ROLE = "arn:aws:iam::123456789012:role/launcher-reaper"


def found(cloud: Cloud, home: Path | None, *, owner: str | None = "me") -> Found:
    return look(cloud.in_region, ["us-west-2"], home=home, owner=owner, now=cloud.clock())


def reap(cloud: Cloud, home: Path | None, *named: str, said: list[str] | None = None) -> tuple[Owned, ...]:
    chosen = choose(found(cloud, home), named)
    return carry_out(chosen, cloud.in_region, home=home, tell=(said if said is not None else []).append)


def wrong(cloud: Cloud, home: Path | None) -> dict[str, str]:
    return {row.kind: row.wrong for row in found(cloud, home).wrong}


def test_a_machine_at_work_is_listed_and_left_alone(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)

    rows = {row.kind: row for row in found(cloud, tmp_path).rows}

    assert rows["machine"].id == machine.id
    assert rows["machine"].usd_per_hour == 1.0
    assert rows["machine"].deadline == machine.expires_at
    assert rows["disk"].usd_per_hour == 0
    assert reap(cloud, tmp_path) == ()
    assert len(fake_ec2.alive()) == 1


def test_another_computer_sees_the_same_by_tag_alone(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    try_launch(fake_ec2, cloud, tmp_path)

    assert owned_json(found(cloud, None).rows) == owned_json(found(cloud, tmp_path).rows)
    assert not found(cloud, None, owner="you").rows
    assert found(cloud, None, owner=None).rows


def test_a_machine_past_its_deadline_ends_and_its_disk_stays(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.advance(LIFE_S + 200)
    assert wrong(cloud, None) == {}
    fake_ec2.advance(200)

    assert wrong(cloud, None) == {"machine": "It is past its deadline"}
    assert reap(cloud, None) == ()
    assert not fake_ec2.alive()
    (disk,) = found(cloud, None).rows
    assert f"launcher recover {BATCH}" in disk.note
    assert not disk.wrong


def test_a_machine_without_a_deadline_should_not_be(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    machines.set_tag(cloud, machine.id, "launcher:expires", "someday")
    machines.set_tag(cloud, machine.id, "launcher:usd-per-hour", "?")

    assert wrong(cloud, tmp_path) == {"machine": "It has no deadline"}
    assert found(cloud, tmp_path).rows[0].usd_per_hour == pytest.approx(0.8048)


def test_a_machine_that_somebody_stopped_should_not_be(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    cloud.call("ec2", "StopInstances", InstanceIds=[machine.id])

    assert wrong(cloud, tmp_path) == {"machine": "It is stopped, which launcher never does"}


def test_what_is_home_ends_with_its_disk_and_closes_the_intent(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    try_launch(fake_ec2, cloud, tmp_path)
    intent_of(tmp_path, BATCH).results_are_home()

    assert wrong(cloud, tmp_path) == dict.fromkeys(("machine", "disk"), "Its results are home")
    assert reap(cloud, tmp_path) == ()
    assert not fake_ec2.alive()
    assert not fake_ec2.volumes()
    assert intent_of(tmp_path, BATCH).record.state == CLOSED


def test_a_disk_of_a_closed_batch_goes_only_if_its_results_are_home(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    machines.end(cloud, [machine.id])
    intent_of(tmp_path, BATCH).close("ended")
    assert wrong(cloud, tmp_path) == {}
    intent_of(tmp_path, BATCH).results_are_home()

    assert wrong(cloud, tmp_path) == {"disk": "Its results are home"}


def test_results_of_an_earlier_machine_of_the_batch_are_not_home(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path)
    machines.end(cloud, [first.id])
    try_launch(fake_ec2, cloud, tmp_path)
    intent_of(tmp_path, BATCH).results_are_home()

    reap(cloud, tmp_path)

    assert set(fake_ec2.volumes()) == set(first.volumes.values())


def test_a_machine_of_a_closed_batch_should_not_be(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    try_launch(fake_ec2, cloud, tmp_path)
    intent_of(tmp_path, BATCH).close("test")

    assert wrong(cloud, tmp_path) == {"machine": "Its batch is closed"}


@pytest.mark.parametrize("heard", [True, False])
def test_a_launch_that_was_cut_off_is_found_and_ended(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path, *, heard: bool
) -> None:
    fake_ec2.fail("RunInstances", "lost", after=heard, times=99)
    with pytest.raises(AwsUnclearError):
        try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.faults.clear()
    assert wrong(cloud, tmp_path) == {"launch": "Its launch was cut off"}

    assert reap(cloud, tmp_path) == ()

    assert not fake_ec2.alive()
    assert not fake_ec2.volumes()
    assert intent_of(tmp_path, BATCH).record.state == CLOSED


def test_a_launch_that_is_under_way_is_nobody_elses_business(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.fail("RunInstances", "lost", after=True, times=99)
    with pytest.raises(AwsUnclearError):
        try_launch(fake_ec2, cloud, tmp_path)

    with intent_of(tmp_path, BATCH).held():
        assert wrong(cloud, tmp_path) == {}
        with pytest.raises(UsageError, match="just now"):
            try_launch(fake_ec2, cloud, tmp_path)


def test_a_disk_with_results_goes_only_by_its_name(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    machines.end(cloud, [machine.id])
    (disk,) = fake_ec2.volumes()

    with pytest.raises(UsageError, match="nothing of mine"):
        reap(cloud, tmp_path, BATCH)
    reap(cloud, tmp_path)
    assert disk in fake_ec2.volumes()
    assert reap(cloud, tmp_path, disk) == ()
    assert not fake_ec2.volumes()


def test_a_schedule_whose_machine_is_gone_goes_too(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    at = cloud.clock() + timedelta(hours=1)
    schedules.create_schedule(cloud, batch=BATCH, machine_id=machine.id, deadline=at, role=ROLE)
    assert wrong(cloud, tmp_path) == {}
    machines.end(cloud, [machine.id])

    assert wrong(cloud, tmp_path) == {"schedule": "Its machine is gone"}
    assert reap(cloud, tmp_path) == ()
    assert not schedules.find_schedules(cloud)


def test_groups_and_keys_go_only_by_their_names(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    vpc = cloud.call("ec2", "DescribeVpcs")["Vpcs"][0]["VpcId"]
    group = security.ensure_group(cloud, vpc=vpc, cidr="203.0.113.7/32", owner="me", client="c")
    key = "k"
    cloud.call(
        "ec2",
        "CreateKeyPair",
        KeyName=key,
        TagSpecifications=[
            {
                "ResourceType": "key-pair",
                "Tags": [{"Key": "app", "Value": "launcher"}, {"Key": "launcher:owner", "Value": "me"}],
            }
        ],
    )

    reap(cloud, tmp_path)
    assert {row.id for row in found(cloud, tmp_path).rows} == {group, key}
    assert reap(cloud, tmp_path, group, key) == ()
    assert not found(cloud, tmp_path).rows
    assert fake_ec2.actions().count("DeleteKeyPair") == 1


def test_a_batch_named_ends_its_machine(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    try_launch(fake_ec2, cloud, tmp_path)
    try_launch(fake_ec2, cloud, tmp_path, batch="another", wanted=offers(fake_ec2))

    assert reap(cloud, tmp_path, BATCH) == ()
    assert [row.batch for row in found(cloud, tmp_path).rows if row.kind == "machine"] == ["another"]


def test_what_does_not_end_is_told_with_its_reason(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    intent_of(tmp_path, BATCH).results_are_home()
    fake_ec2.gate.denied = {"ec2:TerminateInstances"}
    said: list[str] = []

    left = reap(cloud, tmp_path, said=said)

    assert machine.id in {row.id for row in left}
    assert any("iam-policy" in line for line in said)
    assert intent_of(tmp_path, BATCH).record.state != CLOSED


def test_what_may_not_be_looked_at_is_said(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    try_launch(fake_ec2, cloud, tmp_path)
    (tmp_path / "intents" / "damaged.json").write_text("{")
    (tmp_path / "intents" / "newer.json").write_text('{"schema": 99}')
    fake_ec2.gate.denied = {"scheduler:*", "ec2:DescribeKeyPairs"}

    unseen = found(cloud, tmp_path).unseen

    assert [
        any(word in line for line in unseen) for word in ("schedules", "key pairs", "damaged", "newer")
    ] == [True] * 4


def test_the_table_says_what_all_of_it_costs(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    at = cloud.clock() + timedelta(hours=1)
    schedules.create_schedule(cloud, batch=BATCH, machine_id=machine.id, deadline=at, role=ROLE)

    lines = owned_lines(found(cloud, tmp_path).rows, now=cloud.clock())

    assert machine.id in lines[1]
    assert lines[-1] == "1 machine, 1 disk: $1.000 an hour."
    assert owned_lines([], now=cloud.clock()) == ["Nothing that costs anything."]
    fake_ec2.advance(2 * LIFE_S)
    assert f"launcher recover {BATCH}" in " ".join(
        owned_lines(found(cloud, tmp_path).rows, now=cloud.clock())
    )
