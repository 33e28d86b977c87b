"""From calls that the stand-in for AWS recorded to what IAM would look at: actions, ARNs, condition keys.

After the tables of AWS' service authorization reference, for the actions that launcher uses. An action that
stands in none of the tables is an error: it must be thought about first.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from tests.policy.evaluate import Touch, allowing, is_allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from tests.fake_ec2.call import Call

Context: TypeAlias = "dict[str, str | tuple[str, ...]]"

ACCOUNT = "123456789012"
_KINDS = {
    "i": "instance",
    "vol": "volume",
    "sg": "security-group",
    "subnet": "subnet",
    "vpc": "vpc",
    "ami": "image",
    "snap": "snapshot",
    "eni": "network-interface",
    "sir": "spot-instances-request",
    "sgr": "security-group-rule",
    "key": "key-pair",
}
_SERVICES = {"service-quotas": "servicequotas"}
_PUBLIC = ("image", "snapshot")  # whose ARNs name no account
# Which of the resources that a call names IAM looks at.
_CHANGES: Mapping[str, tuple[str, ...]] = {
    "AttachVolume": ("instance", "volume"),
    "AuthorizeSecurityGroupIngress": ("security-group",),
    "CreateTags": tuple(_KINDS.values()),
    "DeleteKeyPair": ("key-pair",),
    "DeleteSecurityGroup": ("security-group",),
    "DeleteSnapshot": ("snapshot",),
    "DeleteVolume": ("volume",),
    "DeregisterImage": ("image",),
    "DetachVolume": ("instance", "volume"),
    "GetConsoleOutput": ("instance",),
    "ModifyInstanceAttribute": ("instance",),
    "RevokeSecurityGroupIngress": ("security-group",),
    "TerminateInstances": ("instance",),
}
# What a call makes, beside what it names.
_MAKES: Mapping[str, tuple[str, ...]] = {
    "RunInstances": ("instance", "volume", "network-interface"),
    "CreateSecurityGroup": ("security-group",),
    "CreateImage": ("image", "snapshot"),
}
_USES: Mapping[str, tuple[str, ...]] = {
    "RunInstances": ("subnet", "security-group", "image"),
    "CreateSecurityGroup": ("vpc",),
    "CreateImage": ("instance",),
}


def judge(policy: Mapping[str, Any], calls: Iterable[Call]) -> list[str]:
    """Return a line for each thing that a policy would not have allowed, each once."""
    refused = {
        f"{touch.action} on {touch.resource} with {dict(touch.context)}"
        for call in calls
        if not call.outcome.endswith((".NotFound", "NotFoundException", "Malformed"))
        for touch in touches_of(call)
        if not is_allowed(policy, touch)
    }
    return sorted(refused)


def unused(policy: Mapping[str, Any], calls: Iterable[Call]) -> list[str]:
    """Return the names of the statements that no call needed."""
    used = {sid for call in calls for touch in touches_of(call) for sid in allowing(policy, touch)}
    return [one["Sid"] for one in policy["Statement"] if one["Sid"] not in used]


def touches_of(call: Call) -> Iterator[Touch]:
    """Yield what IAM looks at for a call."""
    for touch in _touches(call):
        yield replace(touch, context={"aws:RequestedRegion": call.region, **touch.context})


def _touches(call: Call) -> Iterator[Touch]:
    action = f"{_SERVICES.get(call.service, call.service)}:{call.action}"
    if call.service == "ec2":
        yield from _of_ec2(call, action)
    elif call.service == "ssm":
        yield Touch(action, f"arn:aws:ssm:{call.region}::parameter{call.params['Name']}")
    elif call.service == "scheduler":
        yield from _of_scheduler(call, action)
    elif call.service == "ec2-instance-connect":
        yield _of_connect(call, action)
    elif call.service == "s3":
        yield _of_s3(call)
    else:
        yield Touch(action, "*")


def _of_ec2(call: Call, action: str) -> Iterator[Touch]:
    if call.action.startswith("Describe"):
        yield Touch(action, "*")
    elif call.action in _MAKES:
        yield from _of_maker(call, action)
    else:
        yield from _of_change(call, action)


def _of_change(call: Call, action: str) -> Iterator[Touch]:
    kinds = _CHANGES[call.action]
    given = _tags_of(call, "Tag") if call.action == "CreateTags" else {}
    more: Context = {f"aws:RequestTag/{key}": value for key, value in given.items()}
    more |= {"aws:TagKeys": tuple(given)} if given else {}
    for name in call.ids():
        if _kind(name) in kinds:
            yield Touch(action, _arn(call, name), _resource_tags(call, name) | more)


def _of_maker(call: Call, action: str) -> Iterator[Touch]:
    given = call.request_tags()
    is_spot = call.params.get("InstanceMarketOptions.MarketType") == "spot"
    made = (*_MAKES[call.action], *(("spot-instances-request",) if is_spot else ()))
    for kind in made:
        tags = _request_tags(given.get(kind, {}))
        yield Touch(action, _new_arn(call, kind), tags | _of_launch(call, kind))
        if given.get(kind):
            at_birth: Context = {"ec2:CreateAction": call.action, "aws:TagKeys": tuple(given[kind])}
            yield Touch("ec2:CreateTags", _new_arn(call, kind), tags | at_birth)
    for name in call.ids():
        if _kind(name) in _USES[call.action]:
            yield Touch(action, _arn(call, name), _resource_tags(call, name))
    if call.params.get("KeyName"):
        yield Touch(action, f"arn:aws:ec2:{call.region}:{ACCOUNT}:key-pair/{call.params['KeyName']}")
    if call.action == "RunInstances":
        yield Touch(action, f"arn:aws:ec2:{call.region}::snapshot/snap-of-the-image")


def _of_launch(call: Call, kind: str) -> Context:
    if call.action != "RunInstances" or kind != "instance":
        return {}
    known = {
        "ec2:InstanceType": call.params.get("InstanceType"),
        "ec2:MetadataHttpTokens": call.params.get("MetadataOptions.HttpTokens"),
    }
    return {key: str(value) for key, value in known.items() if value}


def _of_scheduler(call: Call, action: str) -> Iterator[Touch]:
    if call.action == "ListSchedules":
        yield Touch(action, "*")
        return
    name = str(call.params["Path"]).rpartition("/")[2]
    yield Touch(action, f"arn:aws:scheduler:{call.region}:{ACCOUNT}:schedule/default/{name}")
    role = re.search(r'"RoleArn":\s*("[^"]+")', json.dumps(call.params))
    if role:
        to = {"iam:PassedToService": "scheduler.amazonaws.com"}
        yield Touch("iam:PassRole", json.loads(role[1]), to)


def _of_connect(call: Call, action: str) -> Touch:
    name = str(call.params["InstanceId"])
    user = str(call.params["InstanceOSUser"])
    return Touch(action, _arn(call, name), _resource_tags(call, name) | {"ec2:osuser": user})


def _of_s3(call: Call) -> Touch:
    bucket, _, key = str(call.params["Path"]).strip("/").partition("/")
    if call.action in ("ListBucket", "CreateBucket", "DeleteBucket"):
        return Touch(f"s3:{call.action}", f"arn:aws:s3:::{bucket}")
    action = "PutObject" if call.action == "PostObject" else call.action
    return Touch(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key or 'key'}")


def _kind(name: str) -> str:
    return _KINDS[name.partition("-")[0]]


def _arn(call: Call, name: str) -> str:
    account = "" if _kind(name) in _PUBLIC else ACCOUNT
    return f"arn:aws:ec2:{call.region}:{account}:{_kind(name)}/{name}"


def _new_arn(call: Call, kind: str) -> str:
    return f"arn:aws:ec2:{call.region}:{'' if kind in _PUBLIC else ACCOUNT}:{kind}/new"


def _request_tags(tags: Mapping[str, str]) -> Context:
    return {f"aws:RequestTag/{key}": value for key, value in tags.items()}


def _resource_tags(call: Call, name: str) -> Context:
    tags = call.resources.get(name, {})
    return {f"{prefix}/{key}": tags[key] for prefix in ("ec2:ResourceTag", "aws:ResourceTag") for key in tags}


def _tags_of(call: Call, prefix: str) -> dict[str, str]:
    keys = {
        match[1]: str(value)
        for name, value in call.params.items()
        if (match := re.fullmatch(rf"{prefix}\.(\d+)\.Key", name))
    }
    return {key: str(call.params.get(f"{prefix}.{number}.Value", "")) for number, key in keys.items()}
