"""Read YAML into plain values that JSON can hold, and remember where each of them stands."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from launcher.errors import UsageError
from launcher.spec.core_yaml import CORE, DEEPEST, MOST_NODES, TAG, compose
from launcher.spec.shown import show_text

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.spec.job import Value
    from launcher.spec.syntax import Place

KeyPath: TypeAlias = tuple[str | int, ...]

_LARGEST_BYTES = 1_000_000
_LONGEST_NUMBER = 100
_NO_CHARACTERS = re.compile("[\0\ud800-\udfff]")  # no program, file or JSON takes them
# Directly below these keys a number is text as written: VERSION: 1.10 is not 1.1.
_TEXTS = frozenset({("env",), ("run",)})


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML mapping: its values, where it came from, and the place of each value.

    Attributes:
        where: by the path of keys and indexes, `file:line` or the flag that set it.
    """

    values: dict[str, Value]
    source: str
    where: dict[KeyPath, str]

    def place_of(self, *path: str | int) -> str:
        """Return where a value stands, or the nearest thing around it."""
        while path and path not in self.where:
            path = path[:-1]
        return self.where.get(path, self.source) if path else self.source


def read_document(path: Path, *, shown: str) -> Document:
    """Read a job file.

    Args:
        shown: the file's name as the user wrote it.

    Raises:
        UsageError: it can't be read, or is no YAML mapping.
    """

    def place(line: int) -> str:
        return f"{shown}:{line + 1}"

    node = compose(_read_text(path, shown), place)
    if node is None or node.tag == f"{TAG}null":
        raise UsageError(f"{shown}: the file is empty.", "Write at least run: python train.py.")
    if not isinstance(node, yaml.MappingNode):
        found = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise UsageError(
            f"{place(node.start_mark.line)}: found {found}, not keys with values.",
            "Write one job a file, at least run: python train.py.",
        )
    reader = _Reader(place)
    return Document(reader.read(node, ()), shown, reader.where)


def read_value(text: str, *, path: KeyPath, place: str) -> Value:
    """Read one YAML value, as it stands behind `--set key=`.

    Args:
        path: where the value will go.

    Raises:
        UsageError: it is no YAML.
    """
    node = compose(text, lambda _: place)
    value: Value = None if node is None else _Reader(lambda _: place).read(node, path)
    return value


def _read_text(path: Path, shown: str) -> str:
    content = _read_bytes(path, shown)
    if len(content) > _LARGEST_BYTES:
        raise UsageError(f"{shown}: the file is larger than 1 MB.", "Name a job file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}:{line}: the text is not UTF-8.", "Save the file as UTF-8.") from error


def _read_bytes(path: Path, shown: str) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting
            raise UsageError(f"{shown}: this is not a file.", "Name a job file.")
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown}: the file can't be read: {error.strerror}.", "Name a job file.") from error


class _Reader:
    """Turn nodes into values. A node that an alias repeats is read, and counted, each time."""

    def __init__(self, place: Place) -> None:
        self.where: dict[KeyPath, str] = {}
        self._place = place
        self._count = 0

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        line = self.where.setdefault(path, self._place(node.start_mark.line))
        if self._count > MOST_NODES or len(path) > DEEPEST:
            key = show_text(_dotted(path[:1]))
            raise UsageError(f"{line}: {key}: the aliases (*) grow without bound.", "Write the values out.")
        place = f"{line}: {show_text(_dotted(path))}"
        if isinstance(node, yaml.ScalarNode):
            return _read_scalar(node, place, is_text=path[:-1] in _TEXTS)
        _check_collection(node, place)
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, path)
        return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]

    def _read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node.start_mark.line)
            key = _read_key(key_node, place)
            if key in values:
                name, first = show_text(_dotted((*path, key))), self.where[*path, key]
                raise UsageError(f"{place}: {name} stands here a second time, after {first}.", "Remove one.")
            self.where[*path, key] = place
            values[key] = self.read(value_node, (*path, key))
        return values


def _dotted(path: KeyPath) -> str:
    return ".".join(step for step in path if isinstance(step, str)) or "the file"


def _check_collection(node: yaml.Node, place: str) -> None:
    if node.tag not in {f"{TAG}seq", f"{TAG}map"}:
        raise _refuse_tag(node, place)


def _read_key(node: yaml.Node, place: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"{place}: a key is a list or mapping.", "Write a word before the colon.")
    if node.value == "<<":
        raise UsageError(f"{place}: merge keys (<<) are not read.", "Write the keys out.")
    key = str(node.value)
    if node.tag != f"{TAG}str":
        shown = show_text(key)
        raise UsageError(
            f"{place}: the key {shown or 'before the colon'} is not a word.",
            f'Write it in quotes: "{shown}".',
        )
    return _checked(key, place)


def _read_scalar(node: yaml.ScalarNode, place: str, *, is_text: bool) -> Value:
    text, tag = str(node.value), node.tag.removeprefix(TAG)
    if tag == "str":
        return _checked(text, place)
    if tag not in CORE or not CORE[tag][0].fullmatch(text):
        raise _refuse_tag(node, place)
    if tag == "null":
        return None
    if is_text:
        return text
    if tag == "bool":
        return text.lower() == "true"
    return _read_int(text, place) if tag == "int" else _read_float(text, place)


def _read_int(text: str, place: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise UsageError(f"{place}: {show_text(text)} is too long a number.", "Write it in quotes.")
    return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


def _read_float(text: str, place: str) -> float:
    value = math.inf if text.lower().endswith(("inf", "nan")) else float(text)
    if not math.isfinite(value):
        raise UsageError(f"{place}: {text} is not a finite number.", f'Write it in quotes: "{text}".')
    return value


def _checked(text: str, place: str) -> str:
    if found := _NO_CHARACTERS.search(text):
        raise UsageError(
            f"{place}: the text holds a character that no program takes (U+{ord(found[0]):04X}).",
            "Remove it.",
        )
    return text


def _refuse_tag(node: yaml.Node, place: str) -> UsageError:
    tag = "!!" + node.tag.removeprefix(TAG) if node.tag.startswith(TAG) else node.tag
    return UsageError(
        f"{place}: the tag {show_text(tag)} is not read here.", "Remove it; write plain values."
    )
