"""Parse YAML 1.2 into nodes, within bounds of time and memory. Knows nothing of jobs.

PyYAML speaks YAML 1.1, where `no` is false, `1e-3` a text and `12:30` the number 750. The core schema of
YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) is what people mean, so it is read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.reader import ReaderError

from launcher.errors import UsageError
from launcher.spec.syntax import explain_character, explain_syntax

if TYPE_CHECKING:
    from launcher.spec.syntax import Place

DEEPEST = 50
MOST_NODES = 100_000
TAG = "tag:yaml.org,2002:"

# By tag: what a plain scalar looks like, and with which characters it may begin.
CORE = {
    "null": (re.compile(r"|~|null|Null|NULL"), ["", "~", "n", "N"]),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    "int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), list("-+0123456789")),
    "float": (
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        list("-+.0123456789"),
    ),
}


def compose(text: str, place: Place) -> yaml.Node | None:
    """Parse a text that holds one document.

    Args:
        place: names a line, counted from 0, in a message.

    Returns:
        its root, None where the text is empty.

    Raises:
        UsageError: it is no YAML, holds more than one document, or is too large or too deep.
    """
    try:
        return _compose_one(_Loader(text, place))
    except ReaderError as error:
        raise explain_character(error, text, place) from error
    except yaml.MarkedYAMLError as error:
        raise explain_syntax(error, place) from error


class _Loader(yaml.SafeLoader):
    """A loader with the types of the core schema and no others, which stops before a text grows over it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML wants it

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self._place = place
        self._count = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as PyYAML does, unless there are too many or it is too deep."""
        self._count += 1
        self._depth += 1
        if self._count > MOST_NODES:
            raise self.refuse(f"there are more than {MOST_NODES:,} values", "Name a job file")
        if self._depth > DEEPEST:
            raise self.refuse(f"this is nested more than {DEEPEST} levels deep", "Write it flatter")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def refuse(self, what: str, todo: str) -> UsageError:
        """Return an error that stands where reading has come to."""
        return UsageError(f"{self._place(self.line)}: {what}.", f"{todo}.")


for _tag, (_pattern, _first) in CORE.items():
    _Loader.add_implicit_resolver(TAG + _tag, re.compile(f"(?:{_pattern.pattern})\\Z"), _first)


def _compose_one(loader: _Loader) -> yaml.Node | None:
    try:
        node = loader.get_node() if loader.check_node() else None
        is_more = loader.check_node()
    except (ValueError, OverflowError) as error:  # PyYAML hands "\UFFFFFFFF" to chr(), %YAML 999... to int()
        raise loader.refuse(
            "no character or version has this number", "Write the character itself"
        ) from error
    if is_more:
        raise loader.refuse("a second document (---) begins", "Write one job a file")
    return node
