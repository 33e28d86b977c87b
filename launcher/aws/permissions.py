"""May we do what a night does? AWS says without doing it. Buys nothing, makes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.errors import AwsMissingError

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from launcher.plan.values import Offer

_KINDS = ("instance", "volume", "network-interface")


def may_launch(cloud: Cloud, offer: Offer, *, image: str) -> bool:
    """Ask whether a machine could be launched. Returns: False where that can't be known yet.

    Before our first launch there is no security group of ours, and to launch behind another is denied.

    Raises:
        AwsDeniedError: it may not.
        AwsError: it could not for another reason.
    """
    group = _find_group(cloud, offer.vpc)
    if group is None:
        return False
    cloud.call(
        "ec2",
        "RunInstances",
        DryRun=True,
        ImageId=image,
        InstanceType=offer.type,
        MinCount=1,
        MaxCount=1,
        MetadataOptions={"HttpTokens": "required"},
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": offer.subnet, "Groups": [group]}],
        TagSpecifications=[_ours(kind) for kind in _KINDS],
    )
    return True


def may_make_group(cloud: Cloud, vpc: str) -> None:
    """Ask whether a security group could be made.

    Raises:
        AwsError: it could not.
    """
    cloud.call(
        "ec2",
        "CreateSecurityGroup",
        DryRun=True,
        GroupName="launcher",
        Description="may it be made?",
        VpcId=vpc,
        TagSpecifications=[_ours("security-group")],
    )


def may_end(cloud: Cloud) -> bool:
    """Ask whether a machine of ours could be terminated. Returns: False where there is none to ask about.

    Raises:
        AwsError: it could not.
    """
    found = cloud.call("ec2", "DescribeInstances", Filters=[{"Name": "tag:app", "Values": ["launcher"]}])
    ids = [row["InstanceId"] for each in found["Reservations"] for row in each["Instances"]]
    for machine in ids[:1]:
        try:
            cloud.call("ec2", "TerminateInstances", DryRun=True, InstanceIds=[machine])
        except AwsMissingError:  # it went away meanwhile
            return False
    return bool(ids)


def _find_group(cloud: Cloud, vpc: str) -> str | None:
    ours = [{"Name": "tag:app", "Values": ["launcher"]}, {"Name": "vpc-id", "Values": [vpc]}]
    rows = cloud.call("ec2", "DescribeSecurityGroups", Filters=ours)["SecurityGroups"]
    return rows[0]["GroupId"] if rows else None


def _ours(kind: str) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": "app", "Value": "launcher"}]}
