"""Put plain values and arrays into JSON and back, to the bit; what is neither is refused, never pickled.

Arrays stand beside the JSON, which names them by number. Of functions only Keras' own operations are
known, by name: callbacks keep `keras.ops.less` to tell better from worse.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

_PLAIN = (type(None), bool, int, float, str)
_GROUPS: dict[str, Any] = {"tuple": tuple, "list": list, "set": set}
_NOT_STATE = frozenset({"model", "_model", "params"})  # which Keras gives a callback itself


class NotPlainError(Exception):
    """A value can't be kept."""


def encode(value: Any, arrays: list[Any]) -> Any:
    """Return what JSON holds of a value; its arrays are appended to `arrays`.

    Raises:
        NotPlainError: it holds something that is no plain value.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {"dict": [[encode(each, arrays) for each in item] for item in value.items()]}
    for name, group in _GROUPS.items():
        if kind is group:
            return {name: [encode(each, arrays) for each in value]}
    return _encode_array(value, arrays)


def decode(value: Any, arrays: list[Any]) -> Any:
    """Return the value that was encoded."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "dict":
            return {decode(key, arrays): decode(each, arrays) for key, each in content}
        case "array":
            return arrays[content].copy()
        case "scalar":
            return arrays[content][()]
        case "op":
            return getattr(sys.modules["keras"].ops, content)
    return _GROUPS[kind](decode(each, arrays) for each in content)


def encode_attributes(item: object, arrays: list[Any]) -> dict[str, Any]:
    """Return what can be kept of an object's attributes."""
    kept = {}
    for name, value in vars(item).items():
        if name not in _NOT_STATE:
            before = len(arrays)
            try:
                kept[name] = encode(value, arrays)
            except NotPlainError:
                del arrays[before:]
    return kept


def decode_attributes(item: Any, kept: dict[str, Any], arrays: list[Any]) -> None:
    """Put attributes back; a list, dict or set that the script may hold too stays the same object."""
    for name, encoded in kept.items():
        value = decode(encoded, arrays)
        if not _refill(getattr(item, name, None), value):
            with suppress(AttributeError):  # a property without a setter
                setattr(item, name, value)


def _encode_array(value: Any, arrays: list[Any]) -> Any:
    numpy, operations = sys.modules["numpy"], sys.modules["keras"].ops
    if type(value) is numpy.ndarray and not value.dtype.hasobject:
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, numpy.generic) and not value.dtype.hasobject:
        arrays.append(numpy.array(value))
        return {"scalar": len(arrays) - 1}
    name = getattr(value, "__name__", "")
    if name and getattr(operations, name, None) is value:
        return {"op": name}
    raise NotPlainError(type(value).__name__)


def _refill(there: Any, value: Any) -> bool:
    if there is None or type(there) is not type(value) or not isinstance(there, list | dict | set):
        return False
    there.clear()
    if isinstance(there, list):
        there.extend(value)
    else:
        there.update(value)
    return True
