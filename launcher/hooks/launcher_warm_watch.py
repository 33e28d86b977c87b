"""Say by a file that the first fit of a warm run has begun and its first batch has not ended.

The runner looks at it: a fork of a process that was not fit for it hangs just there.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from typing import TYPE_CHECKING, Any

from .launcher_callbacks import join, leave, make_callback
from .launcher_guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOST = "a hang of this run will not be seen"


def watch_first_fit(keras: Any, path: str) -> None:
    """Watch the first fit of this process; the file lies at `path` meanwhile."""
    fit = keras.Model.fit

    @functools.wraps(fit)
    def first_fit(*args: Any, **kwargs: Any) -> Any:
        if keras.Model.fit is first_fit:
            keras.Model.fit = fit
        try:
            call = inspect.signature(fit).bind(*args, **kwargs)
        except TypeError:
            return fit(*args, **kwargs)  # which says what is wrong
        first = _FirstBatch(path, call.args[0])
        with Guard(_LOST):
            first.watch(keras, call.arguments)
        try:
            return fit(*call.args, **call.kwargs)
        finally:
            first.end()
            leave(keras, call.arguments.get("callbacks"), ours=first.callback)

    keras.Model.fit = first_fit


class _FirstBatch:
    """From the beginning of a fit to the end of its first batch."""

    def __init__(self, path: str, model: Any) -> None:
        self._path, self._model = path, model
        self.callback: Any = None

    def watch(self, keras: Any, arguments: dict[str, Any]) -> None:
        """Begin; the model's own step tells the end."""
        self.callback = make_callback(keras, {"on_train_begin": self._wrap_step})
        arguments["callbacks"] = join(keras, arguments.get("callbacks"), ours=self.callback)
        with open(self._path, "wb"):
            pass

    def end(self) -> None:
        """Say that it has ended."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _wrap_step(self, _logs: Mapping[str, Any] | None = None) -> None:
        model = self._model
        step: Callable[..., Any] | None = model.train_function
        if step is None:
            self.end()
            return

        def first_step(*args: Any, **kwargs: Any) -> Any:
            model.train_function = step
            result = step(*args, **kwargs)
            self.end()
            return result

        model.train_function = first_step
