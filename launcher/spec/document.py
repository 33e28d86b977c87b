"""Read YAML 1.2 into plain values, and remember on which line each of them stands.

PyYAML speaks YAML 1.1, where `no` is false, `1e-3` a text and `12:30` the number 750. The core schema of
YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) is what people mean, so it is read here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launcher.spec.job import Value

_LARGEST_BYTES = 1_000_000
_MOST_NODES = 100_000
_DEEPEST = 50

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping: its values, where it came from, and the place of each value.

    Attributes:
        where: by the path of keys and indexes, `file:line` or the flag that set it.
    """

    values: dict[str, Value]
    source: str
    where: dict[Path_, str]

    def place_of(self, path: Path_) -> str:
        """Return where a value stands, or the nearest thing around it."""
        while path and path not in self.where:
            path = path[:-1]
        return self.where.get(path, self.source)


def read_document(path: Path, *, shown: str) -> Document:
    """Read a job file.

    Args:
        shown: the file's name as the user wrote it.

    Raises:
        UsageError: it can't be read, or is no YAML mapping.
    """
    node = _compose(_read_text(path, shown), shown)
    if node is None:
        raise UsageError(f"{shown}: the file is empty.", "Write at least: run: python train.py")
    if not isinstance(node, yaml.MappingNode):
        found = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise UsageError(
            f"{shown}:{node.start_mark.line + 1}: found {found}, not keys with values.",
            "Write one job a file, as: run: python train.py",
        )
    reader = _Reader(lambda mark: f"{shown}:{mark.line + 1}")
    values = reader.read(node, ())
    return Document(values, shown, reader.where)


def read_value(text: str, *, shown: str) -> Value:
    """Read one YAML value, as it stands behind `--set key=`.

    Raises:
        UsageError: it is no YAML.
    """
    node = _compose(text, shown)
    return None if node is None else _Reader(lambda _: shown).read(node, ())  # type: ignore[no-any-return]


class _Loader(yaml.SafeLoader):
    """A loader with the implicit types of YAML 1.2's core schema and no others."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, as PyYAML wants it


_CORE = (
    ("null", r"|~|null|Null|NULL", ["", "~", "n", "N"]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)
for _tag, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), _first)


class _Reader:
    """Turn nodes into values. A node that an alias repeats is read, and counted, each time."""

    def __init__(self, place: Callable[[yaml.Mark], str]) -> None:
        self.where: dict[Path_, str] = {}
        self._place = place
        self._nodes = 0

    def read(self, node: yaml.Node, path: Path_) -> Any:
        place = self._place(node.start_mark)
        self.where.setdefault(path, place)
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(path) > _DEEPEST:
            raise UsageError(
                f"{place}: the file grows without bound through its aliases.", "Write it without aliases."
            )
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return _read_scalar(node, place)

    def _read_mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, str] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node.start_mark)
            key = _read_key(key_node, place)
            if key in values:
                raise UsageError(
                    f"{place}: {key} stands here a second time, after {lines[key]}.", "Remove one."
                )
            lines[key] = place
            self.where[*path, key] = place
            values[key] = self.read(value_node, (*path, key))
        return values


def _read_text(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown}: the file can't be read: {error.strerror}.", "Name a job file.") from error
    if len(content) > _LARGEST_BYTES:
        raise UsageError(f"{shown}: the file is larger than 1 MB.", "Is this a job file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{shown}:{line}: the text is not UTF-8.", "Save the file as UTF-8.") from error


def _compose(text: str, shown: str) -> yaml.Node | None:
    try:
        nodes = list(yaml.compose_all(text, Loader=_Loader))
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise UsageError(
            f"{shown}:{line}: there is a character that YAML does not allow (code {ord(str(error.character)[:1])}).",
            "Remove it.",
        ) from error
    except yaml.MarkedYAMLError as error:
        raise _explain(error, text, shown) from error
    except RecursionError as error:
        raise UsageError(f"{shown}: the file is nested too deeply.", "Is this a job file?") from error
    if len(nodes) > 1:
        raise UsageError(f"{shown}: found {len(nodes)} documents (---).", "Write one job a file.")
    return nodes[0] if nodes else None


def _explain(error: yaml.MarkedYAMLError, text: str, shown: str) -> UsageError:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    content = lines[line] if line < len(lines) else ""
    if "\t" in content[: len(content) - len(content.lstrip())]:
        return UsageError(f"{shown}:{line + 1}: a tab stands before the text.", "Indent with spaces.")
    return UsageError(
        f"{shown}:{line + 1}: this is no YAML: {error.problem}.", "Look at this line and the one before."
    )


def _read_key(node: yaml.Node, place: str) -> str:
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str" and node.value != "<<":
        return str(node.value)
    shown = repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
    raise UsageError(
        f"{place}: the key {shown} is not a plain word.", 'Write a word; put numbers in quotes: "1".'
    )


def _read_scalar(node: yaml.Node, place: str) -> Value:
    text = str(node.value)
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _read_int(text, place)
        case "float":
            return _read_float(text, place)
        case "str":
            return text
        case tag:
            raise UsageError(f"{place}: the tag {tag} is not allowed.", "Write plain values.")


def _read_int(text: str, place: str) -> int:
    try:
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    except ValueError as error:  # more digits than Python reads
        raise UsageError(
            f"{place}: the number is too long.", "Write it in quotes if it is a name."
        ) from error


def _read_float(text: str, place: str) -> float:
    special = {"inf": math.inf, "nan": math.nan}.get(text.lower().lstrip("+-."))
    value = float(text) if special is None else special
    if not math.isfinite(value):
        raise UsageError(
            f"{place}: {text} is not a finite number.", 'Write it in quotes, "inf", to pass the word.'
        )
    return value
