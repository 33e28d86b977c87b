"""By what a fit is recognised when its script runs again, and what of it can't be resumed exactly."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from .launcher_checkpoint_random import is_seeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SETTINGS = (
    "batch_size", "epochs", "initial_epoch", "validation_split", "shuffle", "class_weight", "steps_per_epoch",
    "validation_steps", "validation_batch_size", "validation_freq",
)  # fmt: skip
_WHOLE_BYTES = 64 * 1024 * 1024
_SAMPLES = 64
_COUNTED_NAME = re.compile(r'_\d+(?=["/])')  # dense_3: how many layers the process has made before


def take_fingerprint(model: Any, arguments: Mapping[str, Any], *, callbacks: Sequence[Any]) -> dict[str, str]:
    """Return hashes of all that makes a fit what it is, by what they are of."""
    settings = {name: arguments.get(name) for name in _SETTINGS}
    data = [arguments.get(name) for name in ("x", "y", "sample_weight", "validation_data")]
    return {
        "model": _hash_text(_describe_model(model)),
        "settings": _hash_text(repr(settings)),
        "callbacks": _hash_text(json.dumps([_name_of(each) for each in callbacks])),
        "data": _hash_data(data),
    }


def find_inexact(model: Any, arguments: Mapping[str, Any], *, callbacks: Sequence[Any]) -> list[str]:
    """Return why a resume of this fit would not be exact; empty where it is."""
    keras = sys.modules["keras"]
    backend = keras.backend.backend()
    reasons = [
        f"{what} come from a {type(arguments[name]).__name__}, and how far that had come is not known"
        for name, what in (("x", "its samples"), ("validation_data", "its validation samples"))
        if not is_arrays(arguments.get(name))
    ]
    if arguments.get("steps_per_epoch") is not None:
        reasons.append("its epochs (steps_per_epoch) are parts of the data")
    if type(model).train_step is not keras.Model.train_step:
        reasons.append(f"{_name_of(model)} has a train_step of its own")
    own = [_name_of(each) for each in callbacks if not _is_of_keras(keras, each)]
    reasons += [f"the callback {name} is not Keras' own" for name in own]
    if arguments.get("shuffle", True) and not is_seeded(backend):
        reasons.append("without a seed TensorFlow draws another order")
    return reasons


def is_arrays(data: Any) -> bool:
    """Tell whether data are arrays in some structure, which can be read as often as one likes."""
    return all(each is None or _is_array(each) for each in _flatten(data))


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and hasattr(value, "shape")


def _is_of_keras(keras: Any, callback: Any) -> bool:
    kind = type(callback)
    return kind.__module__.startswith("keras.") and kind is not keras.callbacks.LambdaCallback


def _describe_model(model: Any) -> str:
    optimizer = model.optimizer
    described = [
        _name_of(model),
        _config_of(model),
        [list(each.shape) for each in model.variables] if model.built else None,
        [_name_of(optimizer), _config_of(optimizer)],
        _compiled_of(model),
    ]
    try:
        return _COUNTED_NAME.sub("", json.dumps(described, default=_name_of, sort_keys=True))
    except (TypeError, ValueError):  # a config of the user's own that JSON can't hold
        return repr([described[0], described[2]])


def _config_of(item: Any) -> Any:
    try:
        return item.get_config()
    except Exception:  # noqa: BLE001  # a model of the user's own need not have one
        return None


def _compiled_of(model: Any) -> Any:
    try:
        compiled = model.get_compile_config()
    except Exception:  # noqa: BLE001
        return None
    return {name: value for name, value in (compiled or {}).items() if name != "optimizer"}


def _hash_data(data: Sequence[Any]) -> str:
    digest = hashlib.sha256()
    for each in _flatten(data):
        if _is_array(each):
            array = sys.modules["numpy"].ascontiguousarray(_to_numpy(each))
            digest.update(f"{array.dtype} {array.shape} ".encode())
            for part in _samples(array):
                digest.update(part)
        else:
            digest.update(f"{_name_of(each)} ".encode())
    return digest.hexdigest()


def _samples(array: Any) -> Iterator[bytes | memoryview]:
    """Yield what an array holds; of a very large one 64 stretches that lie evenly in it."""
    if array.dtype.hasobject:
        yield repr(array.tolist()).encode("utf-8", "surrogateescape")
        return
    content = array.reshape(-1).view("uint8") if array.size else array.reshape(-1)
    if content.nbytes <= _WHOLE_BYTES:
        yield memoryview(content)
        return
    length = _WHOLE_BYTES // _SAMPLES
    for number in range(_SAMPLES):
        start = (content.nbytes - length) * number // (_SAMPLES - 1)
        yield memoryview(content[start : start + length])


def _to_numpy(value: Any) -> Any:
    keras = sys.modules["keras"]
    if keras.ops.is_tensor(value):
        return keras.ops.convert_to_numpy(value)
    return sys.modules["numpy"].asarray(value)


def _flatten(data: Any) -> list[Any]:
    return list(sys.modules["keras"].tree.flatten(data))


def _name_of(value: Any) -> str:
    return str(getattr(value, "__name__", None) or type(value).__name__)


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
