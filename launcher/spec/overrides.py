"""Set fields of a job from the command line: `--set limits.run=10m`. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.spec.document import Document, read_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.spec.document import KeyPath
    from launcher.spec.job import Value

FLAG = "--set "
# Below these keys names are the user's own and may hold dots.
_OPEN = frozenset({"params", "grid", "env"})


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with fields replaced, added or, by null, taken away; in order.

    Raises:
        UsageError: one is not of the form key=value.
    """
    for override in overrides:
        document = _apply(document, override)
    return document


def _apply(document: Document, override: str) -> Document:
    place = FLAG + (override if override.isprintable() else ascii(override))
    path, value = _parse(override, place)
    values = copy.deepcopy(document.values)
    section = _open_section(values, path, place)
    if value is None and path[-1] in section:
        del section[path[-1]]  # as helm does it
    else:
        section[path[-1]] = value
    return Document(values, document.source, _move(document.where, path, place))


def _parse(override: str, place: str) -> tuple[tuple[str, ...], Value]:
    key, separator, text = override.partition("=")
    first, _, rest = key.strip().partition(".")
    path = (first, rest) if first in _OPEN and rest else tuple(key.strip().split("."))
    if not separator or not all(path):
        raise UsageError(f"{place}: this is not key=value.", "Write, for example, --set params.epochs=5.")
    return path, read_value(text, place=place)


def _open_section(values: dict[str, Any], path: tuple[str, ...], place: str) -> dict[str, Any]:
    section = values
    for step in path[:-1]:
        if section.get(step) is None:
            section[step] = {}
        section = section[step]
        if not isinstance(section, dict):
            raise UsageError(f"{place}: {step}: there are no keys below {step}.", f"Write --set {step}=VALUE.")
    return section


def _move(where: dict[KeyPath, str], path: tuple[str, ...], place: str) -> dict[KeyPath, str]:
    """Let a path, and all that was made for it, stand at the flag."""
    kept = {known: old for known, old in where.items() if known[: len(path)] != path}
    made = {path[:length]: place for length in range(1, len(path)) if path[:length] not in where}
    return {**kept, **made, path: place}
