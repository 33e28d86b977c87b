"""Set fields of a job from the command line, as helm does: `--set limits.run=10m`. Pure.

The value is YAML, so text that YAML reads otherwise needs quotes of its own: `--set env.A='"1: 2"'`. null,
or nothing behind the `=`, removes the key, so that its default holds. A list or mapping is replaced whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.spec.document import Document, read_value
from launcher.spec.job_file import OPEN
from launcher.spec.sentences import FLAG, check_key
from launcher.spec.shown import show_text, show_value

if TYPE_CHECKING:
    from collections.abc import Sequence


def apply_overrides(document: Document, overrides: Sequence[str]) -> Document:
    """Return the document with fields replaced, added or removed, in order.

    Raises:
        UsageError: one is not of the form key=value, or names no field.
    """
    for override in overrides:
        document = _apply(document, override)
    return document


def _apply(document: Document, override: str) -> Document:
    place = FLAG + show_text(override)
    path, text = _split(override, place)
    values = _put(document.values, path, read_value(text, path=path, place=place), place)
    where = {known: there for known, there in document.where.items() if known[: len(path)] != path}
    where[path] = place
    return Document(values, document.source, where)


def _split(override: str, place: str) -> tuple[tuple[str, ...], str]:
    key, separator, text = override.partition("=")
    first, _, rest = key.strip().partition(".")
    # A parameter's own name may hold dots.
    path = (first, rest) if first in OPEN and rest else tuple(key.strip().split("."))
    if not separator or not all(path):
        raise UsageError(f"{place}: this is not key=value.", "Write, for example, --set params.epochs=5.")
    check_key(path, place)
    return path, text


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any, place: str) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        others = {key: each for key, each in values.items() if key != first}
        return others if value is None else {**values, first: value}
    section = values.get(first) or {}
    if not isinstance(section, dict):
        raise UsageError(
            f"{place}: {first} is {show_value(section)}, not keys with values.", f"Mend {first} first."
        )
    return {**values, first: _put(section, tuple(rest), value, place)}
