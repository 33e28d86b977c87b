"""Set fields of a job from the command line: `--set limits.run=10m`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.spec.document import Document, read_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.spec.job import Value

# Below these keys names are the user's own and may hold dots.
_OPEN = frozenset({"params", "grid", "env"})


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with fields replaced or added, in order.

    Raises:
        UsageError: one is not of the form key=value.
    """
    values, where = copy.deepcopy(document.values), dict(document.where)
    for override in overrides:
        path, value = _parse(override)
        _put(values, path, value, override)
        where = {known: place for known, place in where.items() if known[: len(path)] != path}
        where |= {path[:length]: f"--set {override}" for length in (len(path),)}
    return Document(values, document.source, where)


def _parse(override: str) -> tuple[tuple[str, ...], Value]:
    key, separator, text = override.partition("=")
    first, _, rest = key.strip().partition(".")
    path = (first, rest) if first in _OPEN and rest else tuple(key.strip().split("."))
    if not separator or not all(path):
        raise UsageError(
            f"--set {override}: this is not key=value.", "Write, for example, --set params.epochs=5."
        )
    return path, read_value(text, shown=f"--set {override}")


def _put(values: dict[str, Any], path: tuple[str, ...], value: Value, override: str) -> None:
    section: Any = values
    for step in path[:-1]:
        section = section.setdefault(step, {})
        if not isinstance(section, dict):
            raise UsageError(f"--set {override}: {step} holds no further keys.", f"Write --set {step}=VALUE.")
    section[path[-1]] = value
