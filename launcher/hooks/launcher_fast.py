"""The fast way of `fit` and `evaluate`: arrays kept as tensors, and many steps in one call of TensorFlow.

Keras makes two iterators an epoch and calls TensorFlow once a step, which takes ten times as long as the
mathematics of a small network. Here a fit on arrays hands Keras its data in a form of its own, and one call
goes through an epoch. Everything else is Keras' own fit. What is not understood goes the plain way, and the
run says why. The same numbers come out, bit by bit, except that the order of shuffled samples is
another: a new one each epoch, drawn from the seed.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from .launcher_callbacks import join, leave, make_callback
from .launcher_fast_calls import FastFunction
from .launcher_fast_data import Order, make_adapter, shuffled, split_validation
from .launcher_fast_reasons import find_nan_stops, has_progress, why_plain, why_plain_evaluate
from .launcher_guard import Guard, say
from .launcher_metrics import list_scalars

if TYPE_CHECKING:
    from collections.abc import Callable

    from .launcher_run import Run

_PLAIN = "this fit goes the plain way"


class FastPath:
    """The fast way of all models of this process.

    Args:
        number: returns which call of fit is running, from 0.
        note: is told of each fit why it is plain; None for a fast one.
    """

    def __init__(
        self, keras: Any, run: Run, *, number: Callable[[], int], note: Callable[[str | None], None]
    ) -> None:
        self._keras, self._run = keras, run
        self._number, self._note = number, note
        self._said: set[str] = set()

    def wrap_fit(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        """Return `fit`, fast where that is possible."""
        signature = inspect.signature(fit)

        @functools.wraps(fit)
        def fast_fit(*args: Any, **kwargs: Any) -> Any:
            prepared: _FastFit | None = None
            with Guard(_PLAIN):
                prepared = self._prepare(signature.bind(*args, **kwargs))
            if prepared is None:
                return fit(*args, **kwargs)
            try:
                return fit(*prepared.call.args, **prepared.call.kwargs)
            finally:
                prepared.end()

        return fast_fit

    def wrap_evaluate(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """Return `evaluate`, fast where that is possible; also where fit itself calls it."""
        signature = inspect.signature(evaluate)

        @functools.wraps(evaluate)
        def fast_evaluate(*args: Any, **kwargs: Any) -> Any:
            call = None
            with Guard("this evaluate goes the plain way"):
                call = self._prepare_evaluate(signature.bind(*args, **kwargs))
            return evaluate(*args, **kwargs) if call is None else evaluate(*call.args, **call.kwargs)

        return fast_evaluate

    def _prepare(self, call: inspect.BoundArguments) -> _FastFit | None:
        call.apply_defaults()
        why = why_plain(self._keras, call.args[0], call.arguments)
        prepared = None
        if why is None:
            is_shuffled = bool(call.arguments["shuffle"])
            order = shuffled(self._run, fit=self._number()) if is_shuffled else Order()
            prepared, why = _FastFit.make(self._keras, call, order=order)
        self._note(why)
        if why is not None and why not in self._said:
            self._said.add(why)
            say(f"{_PLAIN}: {why}")
        return prepared

    def _prepare_evaluate(self, call: inspect.BoundArguments) -> inspect.BoundArguments | None:
        call.apply_defaults()
        model, arguments = call.args[0], call.arguments
        if "_use_cached_eval_dataset" in arguments["kwargs"]:
            iterator = model._eval_epoch_iterator  # noqa: SLF001  # what fit has just made
            if hasattr(iterator.data_adapter, "batches"):
                iterator.steps_per_execution = iterator.num_batches
            return None
        if why_plain_evaluate(self._keras, model, arguments) is not None:
            return None
        data = (arguments["x"], arguments["y"], arguments["sample_weight"])
        adapter = make_adapter(data, batch_size=arguments["batch_size"], class_weight=None, order=Order())
        if adapter is None:
            return None
        FastFunction.install(model)
        adapter.announce(model)
        arguments.update(x=adapter, y=None, sample_weight=None)
        return call


class _FastFit:
    """One fit that goes the fast way: Keras' arguments, changed, and what must be undone."""

    def __init__(self, keras: Any, call: inspect.BoundArguments, *, adapter: Any) -> None:
        self._keras, self.call, self._adapter = keras, call, adapter
        self._callback = make_callback(
            keras, {"on_epoch_begin": lambda epoch, _logs=None: adapter.batches.begin_epoch(epoch)}
        )
        self._stops: list[Any] = []

    @classmethod
    def make(
        cls, keras: Any, call: inspect.BoundArguments, *, order: Order
    ) -> tuple[_FastFit | None, str | None]:
        """Return a prepared fit, or why there is none."""
        given = call.arguments
        train, validation = split_validation(given)
        sizes = {"batch_size": given["batch_size"], "class_weight": given["class_weight"]}
        adapter = make_adapter(train, order=order, **sizes)
        if adapter is None:
            return None, "its data are not all plain arrays"
        fit = cls(keras, call, adapter=adapter)
        fit._change(validation)
        return fit, None

    def _change(self, validation: Any) -> None:
        given = self.call.arguments
        given["validation_data"] = self._adapt_validation(validation)
        given.update(x=self._adapter, y=None, sample_weight=None, class_weight=None, validation_split=0.0)
        self._watch_loss()
        self._show_progress()
        given["callbacks"] = join(self._keras, given["callbacks"], ours=self._callback, first=True)
        FastFunction.install(self.call.args[0])
        self._adapter.announce(self.call.args[0])

    def _adapt_validation(self, validation: Any) -> Any:
        given = self.call.arguments
        if validation is None or given["validation_steps"] is not None:
            return validation
        data = self._keras.utils.unpack_x_y_sample_weight(validation)
        size = given["validation_batch_size"] or given["batch_size"]
        adapter = make_adapter(data, batch_size=size, class_weight=None, order=Order())
        return validation if adapter is None else adapter

    def _watch_loss(self) -> None:
        """Let TerminateOnNaN see the very batch at which the epoch ended."""
        batches = self._adapter.batches
        self._stops = find_nan_stops(self._keras, self.call.arguments["callbacks"])
        if self._stops:
            batches.watch_loss()
        for stop in self._stops:
            original = stop.on_batch_end
            stop.on_batch_end = lambda _, logs=None, see=original: see(batches.last_step, logs)

    def _show_progress(self) -> None:
        """Let Keras' bar move while an epoch goes on; a list of callbacks without one gets one from Keras."""
        given = self.call.arguments
        if given["verbose"] in (1, True, "auto") and not has_progress(self._keras, given["callbacks"]):
            bar = self._keras.callbacks.ProgbarLogger()
            self._adapter.batches.show = lambda step, logs: bar.on_train_batch_end(step, list_scalars(logs))
            given["callbacks"] = join(self._keras, given["callbacks"], ours=bar)

    def end(self) -> None:
        """Leave everything as a plain fit would."""
        leave(self._keras, self.call.arguments["callbacks"], ours=self._callback)
        self._adapter.withdraw()
        for stop in self._stops:
            del stop.on_batch_end
