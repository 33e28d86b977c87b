"""The smallest policy with which launcher works: what it reads, what it makes, and only its own to change.

Everything that is made bears the tag app=launcher from its first moment, and only what bears it may be
changed or ended. No statement allows to make roles, users, keys or machines without that tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.aws.catalogue import machine_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_CHARACTERS = 6144  # of a managed policy, white space aside
_READ = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "pricing:GetProducts",
    "servicequotas:GetServiceQuota",
    "sts:GetCallerIdentity",
)
_END = (
    "ec2:AttachVolume",
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:DeleteSecurityGroup",
    "ec2:DeleteSnapshot",
    "ec2:DeleteVolume",
    "ec2:DeregisterImage",
    "ec2:DetachVolume",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:TerminateInstances",
)
_MAKERS = ("RunInstances", "CreateSecurityGroup", "CreateImage")
_OURS = {"StringEquals": {"ec2:ResourceTag/app": "launcher"}}
_TAGGED = {"StringEquals": {"aws:RequestTag/app": "launcher"}}


def make_policy(
    account: str, regions: Sequence[str], *, reaper_role: str | None = None, bucket: str | None = None
) -> dict[str, Any]:
    """Return the policy for a user of this account.

    Args:
        regions: where machines may be rented.
        reaper_role: the role with which a schedule ends machines, where there is one.
        bucket: where copies of results lie, where there is one.
    """
    region = regions[0] if len(regions) == 1 else "*"  # three times every ARN would be too long a policy
    statements = [*_reading(), *_launching(account, region), *_tagging(account, region)]
    statements += [*_owning(account, region)]
    statements += [*_scheduling(account, region, reaper_role)] if reaper_role else []
    statements += [*_storing(bucket)] if bucket else []
    statements += [_only_in(regions)] if len(regions) > 1 else []
    return {"Version": "2012-10-17", "Statement": statements}


def _reading() -> Iterator[dict[str, Any]]:
    yield _allow("Read", _READ, "*")
    public = ("deeplearning", "canonical")
    yield _allow(
        "Images", "ssm:GetParameter", [f"arn:aws:ssm:*::parameter/aws/service/{name}/*" for name in public]
    )


def _launching(account: str, region: str) -> Iterator[dict[str, Any]]:
    lines = sorted({f"{name.partition('.')[0]}.*" for name in machine_types()})
    only = {
        "StringEquals": {"aws:RequestTag/app": "launcher", "ec2:MetadataHttpTokens": "required"},
        "StringLike": {"ec2:InstanceType": lines},
    }
    yield _allow("LaunchMachine", "ec2:RunInstances", _ec2(account, region, "instance/*"), only)
    made = ("volume/*", "network-interface/*", "spot-instances-request/*")
    yield _allow("LaunchTagged", "ec2:RunInstances", _ec2(account, region, *made), _TAGGED)
    amazons = [*_ec2("", region, "image/*", "snapshot/*"), *_ec2(account, region, "image/*", "subnet/*")]
    yield _allow("LaunchFrom", "ec2:RunInstances", amazons)
    yield _allow("LaunchBehind", "ec2:RunInstances", _ec2(account, region, "security-group/*"), _OURS)
    yield _allow("MakeGroup", "ec2:CreateSecurityGroup", _ec2(account, region, "security-group/*"), _TAGGED)
    yield _allow("GroupIn", "ec2:CreateSecurityGroup", _ec2(account, region, "vpc/*"))


def _tagging(account: str, region: str) -> Iterator[dict[str, Any]]:
    everything = _ec2(account, region, "*/*") + _ec2("", region, "image/*", "snapshot/*")
    at_birth = {"StringEquals": {"ec2:CreateAction": list(_MAKERS), "aws:RequestTag/app": "launcher"}}
    yield _allow("TagAtBirth", "ec2:CreateTags", everything, at_birth)
    later = {**_OURS, "ForAllValues:StringLike": {"aws:TagKeys": ["launcher:*"]}}
    yield _allow("TagOurs", "ec2:CreateTags", everything, later)


def _owning(account: str, region: str) -> Iterator[dict[str, Any]]:
    # Groups, disks, images: their ARNs differ in whether they name the account; the tag is what counts.
    yield _allow("ChangeOurs", _END, "*", _OURS)
    yield _allow("ImageOf", "ec2:CreateImage", _ec2(account, region, "instance/*"), _OURS)
    yield _allow("MakeImage", "ec2:CreateImage", _ec2("", region, "image/*", "snapshot/*"), _TAGGED)
    into = {"StringEquals": {"ec2:ResourceTag/app": "launcher", "ec2:osuser": "launcher"}}
    machines = _ec2(account, region, "instance/*")
    yield _allow("ComeIn", "ec2-instance-connect:SendSSHPublicKey", machines, into)


def _scheduling(account: str, region: str, role: str) -> Iterator[dict[str, Any]]:
    actions = [f"scheduler:{verb}Schedule" for verb in ("Create", "Delete", "Get", "Update")]
    ours = f"arn:aws:scheduler:{region}:{account}:schedule/default/launcher-*"
    yield _allow("Reaper", actions, ours)
    yield _allow("ReaperList", "scheduler:ListSchedules", "*")
    to = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    yield _allow("ReaperRole", "iam:PassRole", role, to)


def _storing(bucket: str) -> Iterator[dict[str, Any]]:
    yield _allow("Results", ("s3:GetObject", "s3:PutObject"), f"arn:aws:s3:::{bucket}/*")
    yield _allow("ResultsList", "s3:ListBucket", f"arn:aws:s3:::{bucket}")


def _only_in(regions: Sequence[str]) -> dict[str, Any]:
    made = [f"ec2:{maker}" for maker in _MAKERS]
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": list(regions)}}
    return _allow("NotElsewhere", made, "*", elsewhere) | {"Effect": "Deny"}


def _ec2(account: str, region: str, *kinds: str) -> list[str]:
    return [f"arn:aws:ec2:{region}:{account}:{kind}" for kind in kinds]


def _allow(
    sid: str,
    actions: str | Sequence[str],
    resources: str | list[str],
    condition: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions if isinstance(actions, str) else list(actions),
        "Resource": resources,
        **({"Condition": condition} if condition else {}),
    }
