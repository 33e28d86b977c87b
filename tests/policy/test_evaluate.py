"""The evaluator answers as AWS documents it, for the operators that our policy uses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.evaluate import Touch, is_allowed


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    whole = ({"Sid": "x", "Effect": "Allow", "Action": "*", "Resource": "*", **one} for one in statements)
    return {"Version": "2012-10-17", "Statement": list(whole)}


def test_what_no_statement_allows_is_denied() -> None:
    assert not is_allowed(policy(), Touch("ec2:RunInstances", "*"))


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("ec2:Describe*", "ec2:DescribeImages", True),
        ("EC2:describeimages", "ec2:DescribeImages", True),
        ("ec2:Describe", "ec2:DescribeImages", False),
        ("ec2:Describe?mages", "ec2:DescribeImages", True),
        ("*", "s3:GetObject", True),
    ],
)
def test_actions_have_wildcards_and_no_case(pattern: str, action: str, expected: bool) -> None:  # noqa: FBT001
    assert is_allowed(policy({"Action": [pattern]}), Touch(action, "*")) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("arn:aws:ec2:*:1:volume/*", "arn:aws:ec2:us-west-2:1:volume/vol-1", True),
        ("arn:aws:ec2:*:1:volume/*", "arn:aws:ec2:us-west-2:2:volume/vol-1", False),
        ("arn:aws:ec2:us-west-2::image/*", "arn:aws:ec2:us-west-2::image/ami-1", True),
        ("arn:aws:s3:::b/[a]*", "arn:aws:s3:::b/a1", False),
        ("arn:aws:s3:::B", "arn:aws:s3:::b", False),
    ],
)
def test_resources_have_wildcards_and_case(pattern: str, resource: str, expected: bool) -> None:  # noqa: FBT001
    assert is_allowed(policy({"Resource": pattern}), Touch("a:B", resource)) is expected


def test_a_denial_counts_more_than_any_permission() -> None:
    denied = policy({}, {"Effect": "Deny", "Action": "ec2:RunInstances"})

    assert not is_allowed(denied, Touch("ec2:RunInstances", "*"))
    assert is_allowed(denied, Touch("ec2:StopInstances", "*"))


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "expected"),
    [
        ("StringEquals", "launcher", "launcher", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringNotEquals", "a", None, True),
        ("StringLike", ["g5.*", "p4d.*"], "p4d.24xlarge", True),
        ("StringLike", "g5.*", "g5g", False),
        ("StringNotLike", ["g5.*", "g6.*"], "p5.48xlarge", True),
        ("StringNotLike", "g5.*", "g5.xlarge", False),
        ("Bool", "true", "True", True),
        ("Bool", "true", "false", False),
        ("ForAllValues:StringLike", "launcher:*", ("launcher:a", "launcher:b"), True),
        ("ForAllValues:StringLike", "launcher:*", ("launcher:a", "app"), False),
        ("ForAllValues:StringLike", "launcher:*", None, True),
    ],
)
def test_conditions_hold_as_documented(
    operator: str,
    wanted: str | list[str],
    found: str | tuple[str, ...] | None,
    expected: bool,  # noqa: FBT001
) -> None:
    conditional = policy({"Condition": {operator: {"aws:Key": wanted}}})
    context = {} if found is None else {"AWS:key": found}

    assert is_allowed(conditional, Touch("a:B", "*", context)) is expected


def test_all_conditions_must_hold_at_once() -> None:
    both = policy({"Condition": {"StringEquals": {"a": "1", "b": "2"}}})

    assert is_allowed(both, Touch("a:B", "*", {"a": "1", "b": "2"}))
    assert not is_allowed(both, Touch("a:B", "*", {"a": "1", "b": "3"}))
