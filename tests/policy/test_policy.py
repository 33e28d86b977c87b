"""The policy that we print allows what we do, and little else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws.catalogue import machine_types
from launcher.aws.identity import who
from launcher.aws.images import find_image
from launcher.aws.offers import find_offers
from launcher.aws.policy import MOST_CHARACTERS, make_policy
from launcher.spec.job import TYPES
from tests.policy.touches import judge, touches_of, unused

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

ACCOUNT, REGION = "123456789012", "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/launcher-reaper"
KINDS = ("instance", "volume", "network-interface")


def tags(kind: str, **given: str) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in given.items()]}


def launch(cloud: Cloud, fake: FakeEc2, *, group: str = "", app: str = "launcher", **changes: Any) -> str:
    """Launch a machine as we do. Returns: its id."""
    image = find_image(cloud, machine_types()["g6.xlarge"]).id
    subnet = fake.subnets()["us-west-2a"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, **({"Groups": [group]} if group else {})}
    asked: dict[str, Any] = {
        "ImageId": image,
        "InstanceType": "g6.xlarge",
        "MinCount": 1,
        "MaxCount": 1,
        "MetadataOptions": {"HttpTokens": "required"},
        "NetworkInterfaces": [interface],
        "TagSpecifications": [tags(kind, app=app) for kind in KINDS],
    }
    row = cloud.call("ec2", "RunInstances", **asked | changes)["Instances"][0]
    return str(row["InstanceId"])


def make_group(cloud: Cloud) -> str:
    vpc = cloud.call("ec2", "DescribeSubnets")["Subnets"][0]["VpcId"]
    made = cloud.call(
        "ec2",
        "CreateSecurityGroup",
        GroupName="launcher",
        Description="x",
        VpcId=vpc,
        TagSpecifications=[tags("security-group", app="launcher")],
    )
    return str(made["GroupId"])


def ssh() -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.7/32"}]}]


def do_a_night(cloud: Cloud, fake: FakeEc2) -> None:
    """Do once what launcher does in the life of a batch."""
    who(cloud)
    find_offers(cloud, TYPES, spot=True)
    group = make_group(cloud)
    cloud.call("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=ssh())
    spot: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}}
    kinds = (*KINDS, "spot-instances-request")
    machine = launch(
        cloud, fake, group=group, TagSpecifications=[tags(k, app="launcher") for k in kinds], **spot
    )
    cloud.call(
        "ec2", "CreateTags", Resources=[machine], Tags=[{"Key": "launcher:hostkey", "Value": "ssh-ed25519 x"}]
    )
    list(cloud.pages("ec2", "DescribeVolumes"))
    cloud.call("ec2", "RevokeSecurityGroupIngress", GroupId=group, IpPermissions=ssh())
    cloud.call("ec2", "TerminateInstances", InstanceIds=[machine])


def calls_of(fake: FakeEc2, *actions: str) -> list[Any]:
    return [call for call in fake.calls if not actions or call.action in actions]


def test_all_that_a_night_does_is_allowed(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    do_a_night(cloud, fake_ec2)

    for regions in ([REGION], ["eu-west-1", REGION]):
        assert judge(make_policy(ACCOUNT, regions), calls_of(fake_ec2)) == []


def test_a_policy_for_elsewhere_allows_nothing_here(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    do_a_night(cloud, fake_ec2)

    elsewhere = ["eu-west-1"], ["eu-west-1", "us-east-1"]
    others = [make_policy(ACCOUNT, regions) for regions in elsewhere]
    for other in (*others, make_policy("999999999999", [REGION])):
        refused = " ".join(judge(other, calls_of(fake_ec2, "RunInstances")))
        assert "instance/new" in refused
        assert "subnet" in refused


@pytest.mark.parametrize(
    "changes",
    [
        {"InstanceType": "m5.24xlarge"},
        {"MetadataOptions": {"HttpTokens": "optional"}},
        {"MetadataOptions": {}},
        {"TagSpecifications": [tags("volume", app="launcher"), tags("network-interface", app="launcher")]},
        {"TagSpecifications": [tags("instance", app="launcher"), tags("network-interface", app="launcher")]},
        {"TagSpecifications": [tags(kind, app="theirs") for kind in KINDS]},
    ],
    ids=[
        "a type of another kind",
        "old metadata",
        "no word on metadata",
        "no tag",
        "a disk with no tag",
        "app",
    ],
)
def test_a_launch_that_is_not_ours_is_not_allowed(
    cloud: Cloud, fake_ec2: FakeEc2, changes: dict[str, Any]
) -> None:
    launch(cloud, fake_ec2, group=make_group(cloud), **changes)

    assert judge(make_policy(ACCOUNT, [REGION]), calls_of(fake_ec2, "RunInstances"))


def test_a_machine_behind_a_group_that_is_not_ours_is_not_allowed(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    default = cloud.call("ec2", "DescribeSecurityGroups")["SecurityGroups"][0]["GroupId"]
    launch(cloud, fake_ec2, group=default)

    [refused] = judge(make_policy(ACCOUNT, [REGION]), calls_of(fake_ec2, "RunInstances"))
    assert "security-group" in refused


def test_what_is_not_ours_may_not_be_touched(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    machine = launch(cloud, fake_ec2, group=make_group(cloud), app="theirs")
    [volume] = fake_ec2.volumes()
    cloud.call("ec2", "CreateTags", Resources=[machine], Tags=[{"Key": "launcher:keep", "Value": "1"}])
    cloud.call("ec2", "TerminateInstances", InstanceIds=[machine])
    fake_ec2.advance(60)

    touched = calls_of(fake_ec2, "CreateTags", "TerminateInstances")
    refused = judge(make_policy(ACCOUNT, [REGION]), touched)

    assert len(refused) == 2, refused
    assert volume


def test_nobody_makes_their_things_ours_by_a_tag(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    machine = launch(cloud, fake_ec2, group=make_group(cloud))
    cloud.call("ec2", "CreateTags", Resources=[machine], Tags=[{"Key": "app", "Value": "launcher"}])

    assert judge(make_policy(ACCOUNT, [REGION]), calls_of(fake_ec2, "CreateTags"))


def test_schedules_and_bucket_are_allowed_where_they_are_set(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    cloud.call(
        "scheduler",
        "CreateSchedule",
        Name="launcher-x-i-1",
        ScheduleExpression="at(2099-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": ROLE, "Input": "{}"},
    )
    cloud.call("scheduler", "GetSchedule", Name="launcher-x-i-1")
    cloud.call("scheduler", "DeleteSchedule", Name="launcher-x-i-1")

    with_role = make_policy(ACCOUNT, [REGION], reaper_role=ROLE, bucket="results")
    assert judge(with_role, calls_of(fake_ec2)) == []
    assert judge(make_policy(ACCOUNT, [REGION], reaper_role=f"{ROLE}-2"), calls_of(fake_ec2))
    assert len(judge(make_policy(ACCOUNT, [REGION]), calls_of(fake_ec2))) == 4


def test_the_policy_fits_where_it_goes() -> None:
    for regions in ([REGION], [REGION, "us-east-1", "eu-west-1", "ap-northeast-1"]):
        whole = make_policy(ACCOUNT, regions, reaper_role=ROLE, bucket="results")
        assert len(json.dumps(whole, separators=(",", ":"))) <= MOST_CHARACTERS


def test_every_statement_has_its_own_alphanumeric_name() -> None:
    names = [one["Sid"] for one in make_policy(ACCOUNT, [REGION], reaper_role=ROLE, bucket="b")["Statement"]]

    assert len(set(names)) == len(names)
    assert all(name.isalnum() for name in names)


def test_what_a_call_touches_is_never_nothing(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    do_a_night(cloud, fake_ec2)

    assert all(list(touches_of(call)) for call in fake_ec2.calls)
    assert set(unused(make_policy(ACCOUNT, [REGION]), fake_ec2.calls)) == {"ImageOf", "MakeImage", "ComeIn"}
