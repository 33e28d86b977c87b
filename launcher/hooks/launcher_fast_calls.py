"""One call of TensorFlow for many steps: what stands in for Keras' train_function and test_function.

The step is Keras' own, as a graph of its own as in Keras, and the loop around it gathers each batch from
tensors. A call takes about half a second at most, so that signals are heard and a progress bar moves; how
many steps that is, is measured. Numbers do not depend on it.
"""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from .launcher_fast_build import build_early
from .launcher_fast_data import Epoch
from .launcher_guard import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .launcher_fast_data import Batches

_CALL_S = 0.5
_GROWTH = 16


class FastFunction:
    """Go through an epoch in few calls; whatever else Keras hands over goes to Keras' own function.

    Args:
        step: the name of the model's method, train_step or test_step.
    """

    def __init__(self, model: Any, step: str) -> None:
        self._model, self._step = model, step
        self._plain: Callable[[Any], Any] | None = None
        self._one_step: Any = None
        self._loops: dict[str, Any] = {}
        self.pace = 1

    @staticmethod
    def install(model: Any) -> None:
        """Put fast functions in place, unless they are. Keras drops them when it drops its own."""
        for step, name in (("train_step", "train_function"), ("test_step", "test_function")):
            if not isinstance(getattr(model, name), FastFunction):
                setattr(model, name, FastFunction(model, step))

    def __call__(self, data: Any) -> Any:
        """Return what the last step returned."""
        if not isinstance(data, Epoch):
            return self._run_plain(data)
        loop = self._loop_for(data.batches)
        return self._run_each(data.batches) if loop is None else self._run(loop, data.batches)

    def _run(self, loop: Any, batches: Batches) -> Any:
        first, logs = 0, None
        while first < batches.steps:
            last = min(first + self.pace, batches.steps)
            began = time.perf_counter()
            done, logs = loop(batches.tensors, batches.indexes(), *_counts(first, last), batches.is_watched)
            _wait_for(logs)
            self.adapt(last - first, time.perf_counter() - began)
            first = int(done)
            batches.trained(first - 1, logs)
            if _is_over(batches, logs):
                break
        return logs

    def adapt(self, steps: int, seconds: float) -> None:
        """Take in how long a call took, and change the number of steps of the next."""
        wanted = int(steps * _CALL_S / max(seconds, 1e-6))
        self.pace = max(1, min(wanted, self.pace * _GROWTH))

    def _run_each(self, batches: Batches) -> Any:
        """Train step by step, where the step does not fit into a loop."""
        logs = None
        for step in range(batches.steps):
            logs = self._run_plain(iter([batches.take(step)]))
            batches.trained(step, logs)
            if _is_over(batches, logs):
                break
        return logs

    def _run_plain(self, data: Any) -> Any:
        if self._plain is None:
            self._plain = self._model._make_function(getattr(self._model, self._step))  # noqa: SLF001
        return self._plain(data)

    def _loop_for(self, batches: Batches) -> Any:
        key = batches.describe()
        if key not in self._loops:
            self._loops[key] = None
            try:
                build_early(self._model, batches)
                self._loops[key] = _make_loop(self._make_step(), batches)
            except Exception as error:  # noqa: BLE001  # the plain step says what is wrong, if it is the user's
                say(f"its steps are run one by one: {type(error).__name__}: {error}")
        return self._loops[key]

    def _make_step(self) -> Any:
        model = self._model
        step, strategy = getattr(model, self._step), model.distribute_strategy

        def one_step(data: Any) -> Any:
            return strategy.run(step, args=(data,))

        if self._one_step is None:
            tensorflow: Any = sys.modules["tensorflow"]
            quiet = tensorflow.autograph.experimental.do_not_convert(one_step)
            self._one_step = tensorflow.function(quiet, reduce_retracing=True, jit_compile=model.jit_compile)
        return self._one_step


def _make_loop(one_step: Any, batches: Batches) -> Any:
    """Return a function of data, order, first step, the step to stop before, and whether a bad loss ends it.

    Raises:
        Exception: this step can't be put into a loop.
    """
    tensorflow: Any = sys.modules["tensorflow"]
    specs = batches.specs()
    outputs = one_step.get_concrete_function(batches.batch_specs()).structured_outputs
    nothing = tensorflow.nest.map_structure(
        lambda each: tensorflow.zeros([size or 0 for size in each.shape], each.dtype), outputs
    )
    shapes = tensorflow.nest.map_structure(lambda each: each.shape, outputs)

    def loop(data: Any, order: Any, first: Any, last: Any, is_watched: Any) -> Any:
        def goes_on(at: Any, logs: Any) -> Any:
            return (at < last) & (tensorflow.math.is_finite(_loss_of(logs)) | ~is_watched)

        def step(at: Any, _: Any) -> Any:
            return at + 1, one_step(batches.gather(data, order, at))

        return tensorflow.while_loop(
            goes_on, step, (first, nothing), shape_invariants=(tensorflow.TensorShape([]), shapes)
        )

    quiet = tensorflow.autograph.experimental.do_not_convert(loop)
    whole = tensorflow.TensorSpec([], "int64")
    return tensorflow.function(quiet).get_concrete_function(
        specs, tensorflow.TensorSpec([None], "int64"), whole, whole, tensorflow.TensorSpec([], "bool")
    )


def _is_over(batches: Batches, logs: Any) -> bool:
    """Say whether the loss is no number and somebody looks; the last step of a call may be the one."""
    return bool(batches.is_watched) and not math.isfinite(_loss_of(logs))


def _loss_of(logs: Any) -> Any:
    return logs.get("loss", 0.0) if isinstance(logs, dict) else 0.0


def _counts(*numbers: int) -> list[Any]:
    tensorflow: Any = sys.modules["tensorflow"]
    return [tensorflow.constant(number, "int64") for number in numbers]


def _wait_for(logs: Any) -> None:
    """Wait until a GPU has done what it was told to, so that the time taken is that of the steps."""
    tensorflow: Any = sys.modules["tensorflow"]
    for value in tensorflow.nest.flatten(logs)[:1]:
        value.numpy()
