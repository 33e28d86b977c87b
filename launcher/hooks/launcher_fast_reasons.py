"""Why a fit or an evaluate goes the plain way, in words for the user. Looks only, changes nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_METHODS = ("on_test_batch_begin", "on_test_batch_end")
# Methods that a model may bring of its own, and that we would pass by.
_OWN = ("train_step", "test_step", "make_train_function", "make_test_function", "_make_function")


def why_plain(keras: Any, model: Any, given: Mapping[str, Any]) -> str | None:
    """Return why a fit goes the plain way; None where it need not."""
    if given["steps_per_epoch"] is not None or _most_steps(keras):
        return "the number of its steps is given"
    if given["shuffle"] == "batch":
        return 'shuffle="batch" is not known here'
    return _why_model(keras, model) or _why_callbacks(keras, given["callbacks"])


def why_plain_evaluate(keras: Any, model: Any, given: Mapping[str, Any]) -> str | None:
    """Return why an evaluate goes the plain way; None where it need not."""
    if given["steps"] is not None or _most_steps(keras) or given.get("kwargs"):
        return "the number of its steps is given"
    return _why_model(keras, model) or _why_callbacks(keras, given["callbacks"])


def find_nan_stops(keras: Any, callbacks: Any) -> list[Any]:
    """Return the callbacks that are Keras' own TerminateOnNaN."""
    return [each for each in _list(keras, callbacks) if type(each) is keras.callbacks.TerminateOnNaN]


def has_progress(keras: Any, callbacks: Any) -> bool:
    """Return whether there is a progress bar, or nobody adds one."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return True
    return any(isinstance(each, keras.callbacks.ProgbarLogger) for each in _list(keras, callbacks))


def _why_model(keras: Any, model: Any) -> str | None:
    if keras.config.backend() != "tensorflow":
        return f"there is none for the {keras.config.backend()} backend"
    if not model.compiled:
        return "its model is not compiled"
    own = next((name for name in _OWN if _is_own(keras, model, name)), None)
    if own is not None:
        return f"its model has a {own} of its own"
    tensorflow: Any = sys.modules["tensorflow"]
    if model.run_eagerly or tensorflow.config.functions_run_eagerly():
        return "its model runs eagerly"
    if tensorflow.distribute.has_strategy() or model._distribute_strategy is not None:  # noqa: SLF001
        return "its model is distributed"
    return None


def _is_own(keras: Any, model: Any, name: str) -> bool:
    return name in vars(model) or getattr(type(model), name) is not getattr(keras.Model, name)


def _why_callbacks(keras: Any, callbacks: Any) -> str | None:
    for each in _list(keras, callbacks):
        methods = (*_BATCH_METHODS, *_TEST_METHODS)
        sees = any(not getattr(getattr(each, name), "_is_default", False) for name in methods)
        if sees and not _is_known(keras, each):
            return f"its callback {type(each).__name__} wants to see every batch"
    return None


def _is_known(keras: Any, callback: Any) -> bool:
    """Return whether a callback with methods for batches needs only some of them."""
    kind, known = type(callback), keras.callbacks
    if kind in {known.ModelCheckpoint, known.BackupAndRestore}:
        return bool(callback.save_freq == "epoch")
    return kind in {known.ProgbarLogger, known.TerminateOnNaN} or kind.__name__ == "LauncherCallback"


def _most_steps(keras: Any) -> bool:
    return bool(keras.config.max_steps_per_epoch())


def _list(keras: Any, callbacks: Any) -> Iterator[Any]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    yield from keras.tree.flatten(callbacks) if callbacks else ()
