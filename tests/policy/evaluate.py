"""A small evaluator of IAM policies: the operators that ours use, and no others.

It answers as AWS does: a request is allowed where every resource that it touches is allowed by some statement
and denied by none. A key that a request does not have fulfils no condition, except the negated ones and
`ForAllValues:`. Names of actions don't mind case, those of resources do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Touch:
    """One action on one resource, with what is known of it.

    Attributes:
        context: condition keys and their values, as they are for this resource.
    """

    action: str
    resource: str
    context: Mapping[str, str | Values] = field(default_factory=dict)


def is_allowed(policy: Mapping[str, Any], touch: Touch) -> bool:
    """Return whether a policy allows one action on one resource."""
    effects = {one["Effect"] for one in policy["Statement"] if _meets(one, touch)}
    return effects == {"Allow"}


def allowing(policy: Mapping[str, Any], touch: Touch) -> tuple[str, ...]:
    """Return the names of the statements that a touch meets."""
    return tuple(one["Sid"] for one in policy["Statement"] if _meets(one, touch))


def _meets(statement: Mapping[str, Any], touch: Touch) -> bool:
    return (
        any(_like(touch.action.lower(), each.lower()) for each in _listed(statement["Action"]))
        and any(_like(touch.resource, each) for each in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, _listed(wanted), touch.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, key: str, wanted: Values, context: Mapping[str, str | Values]) -> bool:
    is_for_all = operator.startswith("ForAllValues:")
    test = _OPERATORS[operator.removeprefix("ForAllValues:")]
    known = {name.lower(): value for name, value in context.items()}
    if key.lower() not in known:
        return is_for_all or operator.startswith("StringNot")
    found = _listed(known[key.lower()])
    if is_for_all:
        return all(test(value, wanted) for value in found)
    return test(found[0], wanted) if len(found) == 1 else any(test(value, wanted) for value in found)


def _listed(value: str | Sequence[str]) -> Values:
    return (value,) if isinstance(value, str) else tuple(value)


def _like(value: str, pattern: str) -> bool:
    # IAM knows * and ? only: a bracket is a bracket.
    return fnmatchcase(value, pattern.replace("[", "[[]"))


_OPERATORS: Mapping[str, Callable[[str, Values], bool]] = {
    "StringEquals": lambda value, wanted: value in wanted,
    "StringNotEquals": lambda value, wanted: value not in wanted,
    "StringLike": lambda value, wanted: any(_like(value, each) for each in wanted),
    "StringNotLike": lambda value, wanted: not any(_like(value, each) for each in wanted),
    "Bool": lambda value, wanted: value.lower() in {each.lower() for each in wanted},
}
