"""The scalars of YAML 1.2. Reads no files.

PyYAML speaks YAML 1.1, where `no` is false, `1e-3` a text and `12:30` the number 750. The core schema of
YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) is what people mean, so it is read here.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from launcher.spec.job import Value

DEEPEST = 50
TOO_DEEP = "nested too deeply"

_TAG = "tag:yaml.org,2002:"
_PATTERNS = {
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
_FIRST = {"null": ["", *"~nN"], "bool": [*"tTfF"], "int": [*"-+0123456789"], "float": [*"-+.0123456789"]}
_COLLECTIONS = frozenset({f"{_TAG}map", f"{_TAG}seq"})


class CoreLoader(yaml.SafeLoader):
    """A loader that finds the types of the core schema and no others, to a depth that Python can follow."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML wants it

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node as PyYAML does, unless it is too deep."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.composer.ComposerError(problem=TOO_DEEP, problem_mark=self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _name, _pattern in _PATTERNS.items():
    CoreLoader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_pattern})\Z"), _FIRST[_name])


def is_plain_collection(node: yaml.Node) -> bool:
    """Tell whether a list or mapping carries no tag of its own."""
    return node.tag in _COLLECTIONS


def is_text(node: yaml.Node) -> bool:
    """Tell whether a node is a text."""
    return isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str"


def read_scalar(node: yaml.Node) -> Value:
    """Return what a scalar means.

    Raises:
        ValueError: it can't be; the text says why, and what to write.
    """
    name, text = node.tag.removeprefix(_TAG), str(node.value)
    if name == "str":
        return check_text(text)
    if name not in _PATTERNS:
        raise ValueError(f"the tag {node.tag} is not allowed", "Write the plain value")
    if not re.fullmatch(_PATTERNS[name], text):
        raise ValueError(f'"{text}" is not of the type {name}', "Leave the tag out")
    return _read_plain(name, text)


def check_text(text: str) -> str:
    """Return a text that files and command lines can carry.

    Raises:
        ValueError: it holds a zero or half a character.
    """
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("the text holds a character that no command line can carry", "Remove it")
    return text


def _read_plain(name: str, text: str) -> Value:
    match name:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _read_int(text)
        case _:
            return _read_float(text)


def _read_int(text: str) -> int:
    try:
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    except ValueError as error:  # more digits than Python reads
        raise ValueError("the number is too long", "Put it in quotes if it is a name") from error


def _read_float(text: str) -> float:
    special = {"inf": math.inf, "nan": math.nan}.get(text.lower().lstrip("+-."))
    value = float(text) if special is None else special
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number", f'Write "{text}" to pass the word')
    return value
