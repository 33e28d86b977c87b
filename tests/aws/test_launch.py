"""A machine is had once, whatever AWS and the network do; what can't be had is told with its reasons."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from launcher.aws import machines, schedules
from launcher.aws.intent import CLOSED, LAUNCHED, OPEN, intent_of
from launcher.aws.settle import abandon, find_launched
from launcher.errors import (
    AlreadyRentedError,
    AwsCredentialsError,
    AwsDeniedError,
    AwsError,
    AwsRefusedError,
    AwsSetupError,
    AwsUnclearError,
    LaunchError,
)
from tests.aws.kit import BATCH, offers, try_launch

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2
    from tests.fake_ec2.call import Call

ROLE = "arn:aws:iam::123456789012:role/launcher-reaper"


def launches(fake: FakeEc2) -> list[Call]:
    return [call for call in fake.calls if call.action == "RunInstances"]


def test_the_first_offer_is_taken_with_all_that_a_machine_needs(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)

    (call,) = launches(fake_ec2)
    assert (machine.type, machine.zone, machine.state) == ("g6.xlarge", "us-west-2a", machines.RUNNING)
    assert call.params["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert call.params["MetadataOptions.HttpTokens"] == "required"
    assert call.params["MetadataOptions.HttpPutResponseHopLimit"] == "1"
    assert call.params["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "false"
    assert call.params["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert not [name for name in call.params if "Profile" in name]
    tags = call.request_tags()
    assert set(tags) == {"instance", "volume", "network-interface"}
    assert {given["launcher:batch"] for given in tags.values()} == {BATCH}
    assert machine.expires_at is not None
    assert intent_of(tmp_path, BATCH).record.state == LAUNCHED


def test_the_intent_is_on_disk_before_the_call(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    seen = []

    def watch(call: Call, moment: str) -> None:
        if call.action == "RunInstances" and moment == "before":
            seen.append(json.loads((tmp_path / "intents" / f"{BATCH}.json").read_text()))

    fake_ec2.watch = watch
    try_launch(fake_ec2, cloud, tmp_path)

    assert seen[0]["state"] == OPEN
    assert seen[0]["attempt"]["parameters"]["ClientToken"] == launches(fake_ec2)[0].params["ClientToken"]


@pytest.mark.parametrize("lost", ["lost", "Unavailable", "InternalError", "RequestLimitExceeded"])
@pytest.mark.parametrize("after", [False, True])
def test_an_unclear_answer_leads_to_the_very_same_request(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path, lost: str, *, after: bool
) -> None:
    fake_ec2.fail("RunInstances", lost, status=503, after=after, times=3)

    machine = try_launch(fake_ec2, cloud, tmp_path)

    bodies = {call.body for call in launches(fake_ec2)}
    assert (len(launches(fake_ec2)), len(bodies)) == (4, 1)
    assert [each.id for each in fake_ec2.alive()] == [machine.id]


def test_no_capacity_leads_to_the_next_offer_under_another_token(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.supply.none_of = {("g6.xlarge", "*"), ("g5.xlarge", "us-west-2a")}
    said: list[str] = []

    machine = try_launch(fake_ec2, cloud, tmp_path, said=said)

    assert (machine.type, machine.zone) == ("g5.xlarge", "us-west-2b")
    assert len({call.params["ClientToken"] for call in launches(fake_ec2)}) == 4
    assert len(said) == 4
    assert [past.type for past in intent_of(tmp_path, BATCH).record.past] == [
        "g6.xlarge",
        "g6.xlarge",
        "g5.xlarge",
    ]


def test_nothing_to_be_had_ends_with_the_table_of_attempts(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.supply.none_of = {("*", "*")}

    with pytest.raises(LaunchError) as error:
        try_launch(fake_ec2, cloud, tmp_path)

    assert [outcome for _, outcome in error.value.attempts] == ["InsufficientInstanceCapacity"] * 4
    assert "g6.xlarge on-demand in us-west-2a" in error.value.attempts[0]
    assert error.value.exit_code == 3
    with pytest.raises(LaunchError):
        try_launch(fake_ec2, cloud, tmp_path, wanted=[])


def test_wait_keeps_trying_for_capacity(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.fail("RunInstances", "InsufficientInstanceCapacity", status=500, times=9)

    machine = try_launch(fake_ec2, cloud, tmp_path, wait_s=600)

    assert [each.id for each in fake_ec2.alive()] == [machine.id]
    assert len(launches(fake_ec2)) == 10


def test_a_quota_passes_over_the_whole_family(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.supply.quotas = {"L-DB2E81BA": 0}

    machine = try_launch(
        fake_ec2, cloud, tmp_path, wanted=offers(fake_ec2, types=("g6.xlarge", "g5.xlarge", "t3.micro"))
    )

    assert machine.type == "t3.micro"
    assert len(launches(fake_ec2)) == 2


def test_a_quota_on_all_ends_at_once_whatever_the_wait(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.supply.quotas = {"L-DB2E81BA": 0}

    with pytest.raises(LaunchError):
        try_launch(fake_ec2, cloud, tmp_path, wait_s=600)

    assert len(launches(fake_ec2)) == 1


def test_a_retired_type_leads_to_the_next(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    wanted = offers(fake_ec2, types=("p3.2xlarge", "g6.xlarge"))

    assert try_launch(fake_ec2, cloud, tmp_path, wanted=wanted).type == "g6.xlarge"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UnauthorizedOperation", AwsDeniedError),
        ("OptInRequired", AwsSetupError),
        ("InvalidParameterCombination", AwsRefusedError),
    ],
)
def test_what_no_other_offer_mends_ends_the_launch(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path, code: str, kind: type[AwsError]
) -> None:
    fake_ec2.fail("RunInstances", code)

    with pytest.raises(kind):
        try_launch(fake_ec2, cloud, tmp_path)

    assert len(launches(fake_ec2)) == 1
    assert intent_of(tmp_path, BATCH).record.attempt is None


def test_a_group_that_is_not_visible_yet_is_waited_for(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.fail("RunInstances", "InvalidGroup.NotFound", times=2)

    try_launch(fake_ec2, cloud, tmp_path)

    assert len(launches(fake_ec2)) == 3


def test_spot_without_its_role_falls_back_to_the_offers_on_demand(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.supply.has_spot_role = False
    wanted = [*offers(fake_ec2, market="spot"), *offers(fake_ec2)]

    machine = try_launch(fake_ec2, cloud, tmp_path, wanted=wanted)

    assert machine.market == "on-demand"
    assert len(launches(fake_ec2)) == 2


def test_spot_is_one_time_and_has_no_highest_price(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path, wanted=offers(fake_ec2, market="spot"))

    (call,) = launches(fake_ec2)
    market = {key: value for key, value in call.params.items() if key.startswith("InstanceMarketOptions")}
    assert machine.market == "spot"
    assert market == {
        "InstanceMarketOptions.MarketType": "spot",
        "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
        "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": "terminate",
    }
    assert "spot-instances-request" in call.request_tags()


def test_a_machine_that_dies_at_birth_leaves_nothing_and_the_next_is_tried(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.machines.dooms.append("Server.InsufficientInstanceCapacity")

    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert machine.zone == "us-west-2b"
    assert [each.id for each in fake_ec2.alive()] == [machine.id]
    assert set(fake_ec2.volumes()) == set(machine.volumes.values())


def test_a_slow_and_hidden_machine_is_waited_for(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.timing.hide_s, fake_ec2.timing.boot_s = 20, 90

    assert try_launch(fake_ec2, cloud, tmp_path).state == machines.RUNNING


def test_a_second_launch_of_a_batch_takes_up_the_first(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path)

    again = try_launch(fake_ec2, cloud, tmp_path)

    assert again.id == first.id
    assert len(launches(fake_ec2)) == 1


def test_a_machine_that_ended_is_replaced_and_its_disk_stays(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.power_off(first.id)
    fake_ec2.tick()

    second = try_launch(fake_ec2, cloud, tmp_path)

    assert second.id != first.id
    assert set(first.volumes.values()) < set(fake_ec2.volumes())
    assert intent_of(tmp_path, BATCH).record.machines == (first.id, second.id)


def test_another_computer_does_not_buy_a_second_machine_for_a_batch(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path / "here")

    with pytest.raises(AlreadyRentedError) as error:
        try_launch(fake_ec2, cloud, tmp_path / "there")

    assert error.value.machine == machine.id
    assert [each.id for each in fake_ec2.alive()] == [machine.id]


def test_two_computers_at_once_meet_at_the_token(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.timing.boot_s = 5  # as the order of two machines is that of their launch, to the second
    got = []

    def watch(call: Call, moment: str) -> None:
        if (call.action, moment) == ("RunInstances", "before"):
            fake_ec2.watch = None
            got.append(try_launch(fake_ec2, cloud, tmp_path / "there"))

    fake_ec2.watch = watch
    with pytest.raises(AlreadyRentedError):
        try_launch(fake_ec2, cloud, tmp_path / "here")

    assert [each.id for each in fake_ec2.alive()] == [got[0].id]


def test_two_computers_with_different_offers_end_with_one_machine(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.timing.boot_s = 5  # as the order of two machines is that of their launch, to the second
    got = []

    def watch(call: Call, moment: str) -> None:
        if (call.action, moment) == ("RunInstances", "before"):
            fake_ec2.watch = None
            wanted = offers(fake_ec2, zones=["us-west-2c"])
            got.append(try_launch(fake_ec2, cloud, tmp_path / "there", wanted=wanted))

    fake_ec2.watch = watch
    with pytest.raises(AlreadyRentedError):
        try_launch(fake_ec2, cloud, tmp_path / "here")

    assert [each.id for each in fake_ec2.alive()] == [got[0].id]
    assert len(fake_ec2.volumes()) == 1


def test_a_batch_that_had_machines_elsewhere_gets_another(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path / "there")
    machines.end(cloud, [first.id])

    second = try_launch(fake_ec2, cloud, tmp_path / "here")

    assert [each.id for each in fake_ec2.alive()] == [second.id]


def test_the_only_offer_is_asked_again_under_another_token(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path / "there", wanted=offers(fake_ec2)[:1])
    machines.end(cloud, [first.id])

    second = try_launch(fake_ec2, cloud, tmp_path / "here", wanted=offers(fake_ec2)[:1])

    assert [each.id for each in fake_ec2.alive()] == [second.id]


def test_an_answer_that_never_comes_leaves_the_intent_open_and_says_so(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.fail("RunInstances", "lost", after=True, times=99)

    with pytest.raises(AwsUnclearError) as error:
        try_launch(fake_ec2, cloud, tmp_path)

    assert "launcher reap" in error.value.todo
    assert intent_of(tmp_path, BATCH).record.state == OPEN
    assert len(fake_ec2.alive()) == 1

    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="test") == ()
    assert not fake_ec2.alive()
    assert not fake_ec2.volumes()
    assert intent_of(tmp_path, BATCH).record.state == CLOSED


def test_a_machine_that_nobody_may_ask_after_any_more_is_named_and_taken_up_later(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    said: list[str] = []
    fake_ec2.fail("DescribeInstances", "RequestExpired", skip=1, times=99)
    with pytest.raises(AwsCredentialsError):
        try_launch(fake_ec2, cloud, tmp_path, said=said)
    fake_ec2.faults.clear()
    (bought,) = fake_ec2.alive()

    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert f"launcher reap --yes {bought.id}" in said[-1]
    assert [each.id for each in fake_ec2.alive()] == [machine.id] == [bought.id]


def test_a_launch_that_was_cut_off_before_it_was_heard_bought_nothing(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.fail("RunInstances", "lost", times=99)
    with pytest.raises(AwsUnclearError):
        try_launch(fake_ec2, cloud, tmp_path)

    assert find_launched(cloud.in_region, intent_of(tmp_path, BATCH)) is None
    assert find_launched(cloud.in_region, intent_of(tmp_path, BATCH)) is None
    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="test") == ()


def test_what_was_bought_in_a_call_that_was_cut_off_is_found_though_hidden(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.timing.hide_s = 30

    fake_ec2.fail("RunInstances", "lost", after=True)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(cloud, fake_ec2, tmp_path)

    machine = find_launched(cloud.in_region, intent_of(tmp_path, BATCH))

    assert machine is not None
    assert machine.id == fake_ec2.alive()[0].id


def _interrupted(cloud: Cloud, fake: FakeEc2, home: Path) -> None:
    """Launch; the user presses Ctrl-C in the pause after the lost answer."""

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    sleep, cloud.sleep = cloud.sleep, stop
    try:
        try_launch(fake, cloud, home)
    finally:
        cloud.sleep = sleep


# The second line


def test_a_schedule_is_made_at_once_and_goes_with_the_machine(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path, role=ROLE)

    (schedule,) = schedules.find_schedules(cloud)
    assert (schedule.machine, schedule.name) == (machine.id, intent_of(tmp_path, BATCH).record.schedule)
    assert fake_ec2.actions("scheduler")[0] == "CreateSchedule"
    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="test") == ()
    assert not schedules.find_schedules(cloud)


def test_a_schedule_that_is_refused_is_told_and_the_machine_is_had(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.gate.denied = {"scheduler:*"}
    said: list[str] = []

    machine = try_launch(fake_ec2, cloud, tmp_path, role=ROLE, said=said)

    assert [each.id for each in fake_ec2.alive()] == [machine.id]
    assert "No schedule" in said[0]


def test_a_machine_that_dies_at_birth_takes_its_schedule_along(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.machines.dooms.append("Server.InsufficientInstanceCapacity")

    machine = try_launch(fake_ec2, cloud, tmp_path, role=ROLE)

    assert [each.machine for each in schedules.find_schedules(cloud)] == [machine.id]


# What is too old to be sent again


@pytest.mark.parametrize("heard", [True, False])
def test_an_old_request_is_looked_for_and_not_sent_again(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path, *, heard: bool
) -> None:
    fake_ec2.fail("RunInstances", "lost", after=heard, times=99)
    with pytest.raises(AwsUnclearError):
        try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.faults.clear()
    tokens = {call.params["ClientToken"] for call in launches(fake_ec2)}
    fake_ec2.advance(1000)
    before = len(launches(fake_ec2))

    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert [each.id for each in fake_ec2.alive()] == [machine.id]
    assert (machine.tags["launcher:attempt"] in tokens) is heard
    assert len(launches(fake_ec2)) == before + (not heard)


# The end


def test_the_end_of_a_good_night_leaves_nothing(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    try_launch(fake_ec2, cloud, tmp_path, role=ROLE)
    intent_of(tmp_path, BATCH).results_are_home()

    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="finished") == ()

    assert not fake_ec2.alive()
    assert not fake_ec2.volumes()
    assert not schedules.find_schedules(cloud)
    assert intent_of(tmp_path, BATCH).record.why == "finished"
    assert len(fake_ec2.calls) < 20


def test_a_machine_given_up_with_results_on_it_keeps_its_disk(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="given up") == ()

    assert set(fake_ec2.volumes()) == set(machine.volumes.values())


def test_a_disk_is_deleted_also_long_after_its_machine_is_forgotten(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.power_off(machine.id)
    fake_ec2.advance(4000)
    fake_ec2.advance(4000)
    intent_of(tmp_path, BATCH).results_are_home()

    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="finished") == ()
    assert not fake_ec2.volumes()


def test_what_does_not_end_keeps_the_intent_open(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.timing.stop_s = 100_000

    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="test") == (machine.id,)
    assert intent_of(tmp_path, BATCH).record.state == LAUNCHED
