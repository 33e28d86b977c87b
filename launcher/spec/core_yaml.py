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

if TYPE_CHECKING:
    from collections.abc import Callable

    Place = Callable[[int], str]

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
_QUOTES = 'Look at this line and the one before; a text with ": " in it needs quotes.'


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
        line = text.count("\n", 0, error.position)
        raise UsageError(
            f"{place(line)}: there is a character that YAML does not allow (U+{error.character:04X}).",
            "Remove it.",
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _explain(error, text, place) from error


class _Loader(yaml.SafeLoader):
    """A loader with the types of the core schema and no others, which stops before a text grows over it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML wants it

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.place = place
        self._count = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._count += 1
        self._depth += 1
        if self._count > MOST_NODES:
            raise self._refuse(f"there are more than {MOST_NODES:,} values")
        if self._depth > DEEPEST:
            raise self._refuse(f"this is nested more than {DEEPEST} levels deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse(self, what: str) -> UsageError:
        return UsageError(f"{self.place(self.line)}: {what}.", "Is this a job file?")


for _tag, (_pattern, _first) in CORE.items():
    _Loader.add_implicit_resolver(TAG + _tag, re.compile(f"(?:{_pattern.pattern})\\Z"), _first)


def _compose_one(loader: _Loader) -> yaml.Node | None:
    try:
        node = loader.get_node() if loader.check_node() else None
        is_more = loader.check_node()
    except (
        ValueError,
        OverflowError,
    ) as error:  # PyYAML lets pass what chr() and int() can't read: "\UFFFFFFFF"
        raise UsageError(f"{loader.place(loader.line)}: this is no YAML: {error}.", _QUOTES) from error
    if is_more:
        raise UsageError(
            f"{loader.place(loader.line)}: a second document (---) begins.", "Write one job a file."
        )
    return node


def _explain(error: yaml.MarkedYAMLError, text: str, place: Place) -> UsageError:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    content = [*text.splitlines(), ""][line]
    if "\t" in content[: len(content) - len(content.lstrip())]:
        return UsageError(f"{place(line)}: a tab stands before the text.", "Indent with spaces.")
    return UsageError(f"{place(line)}: this is no YAML: {error.problem}.", _QUOTES)
