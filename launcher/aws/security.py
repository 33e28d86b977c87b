"""Who may reach our machines: one security group a VPC, which lets in this computer's address by SSH."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from typing import TYPE_CHECKING, Any

from launcher.aws import tags
from launcher.errors import AwsDuplicateError, AwsError, AwsMissingError, AwsRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.aws.cloud import Cloud

_CHECK = "https://checkip.amazonaws.com"
_PATIENCE_S = 10
_NAME = "launcher"
_APPEARS_S = 30.0
_EVERY_S = 1.0
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]")


def my_address() -> str:
    """Ask Amazon from which address this computer is seen. Returns: it alone, as a range.

    Raises:
        UsageError: nobody answers, or not with an address.
    """
    try:
        with urllib.request.urlopen(_CHECK, timeout=_PATIENCE_S) as answer:
            return f"{ipaddress.IPv4Address(answer.read(64).decode('ascii').strip())}/32"
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The address of this computer can't be found out: {error}.",
            'Set it: cidr = "203.0.113.7/32" in the settings, or LAUNCHER_CIDR.',
        ) from error


def ensure_group(cloud: Cloud, *, vpc: str, cidr: str, owner: str, client: str) -> str:
    """See that a VPC has our group, and that it lets in a range of addresses. Returns: its id.

    Ranges that this computer had before are let in no longer.

    Args:
        client: the name of this computer, by which its rules are known again.

    Raises:
        AwsError: AWS refuses.
    """
    group = _find(cloud, vpc, owner) or _create(cloud, vpc, owner)
    mark = _NOT_ALLOWED.sub("_", f"launcher {client}")[:255]
    stale = _stale_rules(group, cidr=cidr, mark=mark)
    if not _lets_in(group, cidr):
        _allow(cloud, group["GroupId"], cidr, mark)
    if stale:
        cloud.call("ec2", "RevokeSecurityGroupIngress", GroupId=group["GroupId"], IpPermissions=_ssh(stale))
    return str(group["GroupId"])


def find_groups(cloud: Cloud, *, owner: str | None = None) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Return the id and tags of the groups that are ours in a region."""
    pages = cloud.pages("ec2", "DescribeSecurityGroups", Filters=tags.filters(owner=owner))
    return tuple(
        (row["GroupId"], tags.from_aws(row.get("Tags"))) for page in pages for row in page["SecurityGroups"]
    )


def delete_group(cloud: Cloud, group: str) -> bool:
    """Delete a group. Returns: False where a machine still uses it."""
    try:
        cloud.call("ec2", "DeleteSecurityGroup", GroupId=group)
    except AwsMissingError:
        return True
    except AwsRefusedError as error:
        if error.code != "DependencyViolation":
            raise
        return False
    return True


def _find(cloud: Cloud, vpc: str, owner: str) -> dict[str, Any] | None:
    wanted = tags.filters(owner=owner, vpc_id=[vpc])
    rows: list[dict[str, Any]] = cloud.call("ec2", "DescribeSecurityGroups", Filters=wanted)["SecurityGroups"]
    return rows[0] if rows else None


def _create(cloud: Cloud, vpc: str, owner: str) -> dict[str, Any]:
    given = {"app": tags.APP, "Name": f"{_NAME} {owner}", tags.OWNER: owner}
    name = _NOT_ALLOWED.sub("_", f"{_NAME} {owner}")[:255]
    try:
        made = cloud.call(
            "ec2",
            "CreateSecurityGroup",
            GroupName=name,
            Description="SSH from the computers of this user of launcher",
            VpcId=vpc,
            TagSpecifications=tags.for_kinds(given, ["security-group"]),
        )
    except AwsDuplicateError:
        return _wait_for(cloud, vpc, owner)
    return {"GroupId": made["GroupId"], "IpPermissions": []}


def _wait_for(cloud: Cloud, vpc: str, owner: str) -> dict[str, Any]:
    """Find the group that another client made just now."""
    waited_s = 0.0
    while waited_s < _APPEARS_S:
        if group := _find(cloud, vpc, owner):
            return group
        cloud.sleep(_EVERY_S)
        waited_s += _EVERY_S
    raise AwsError(
        f"{vpc} has a security group named {_NAME} {owner} that launcher did not make.",
        "Remove or rename it: aws ec2 delete-security-group.",
    )


def _allow(cloud: Cloud, group: str, cidr: str, mark: str) -> None:
    waited_s = 0.0
    while True:
        try:
            cloud.call(
                "ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=_ssh([(cidr, mark)])
            )
        except AwsDuplicateError:
            return
        except AwsMissingError:  # a group that was only just made
            if waited_s > _APPEARS_S:
                raise
            cloud.sleep(_EVERY_S)
            waited_s += _EVERY_S
        else:
            return


def _lets_in(group: Mapping[str, Any], cidr: str) -> bool:
    return any(known == cidr for known, _ in _rules(group))


def _stale_rules(group: Mapping[str, Any], *, cidr: str, mark: str) -> list[tuple[str, str]]:
    return [(known, said) for known, said in _rules(group) if said == mark and known != cidr]


def _rules(group: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (each["CidrIp"], each.get("Description", ""))
        for permission in group.get("IpPermissions", ())
        if permission.get("FromPort") == permission.get("ToPort") == 22  # noqa: PLR2004 - SSH
        for each in permission.get("IpRanges", ())
    ]


def _ssh(ranges: list[tuple[str, str]]) -> list[dict[str, Any]]:
    listed = [{"CidrIp": cidr, "Description": mark} for cidr, mark in ranges]
    return [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": listed}]
