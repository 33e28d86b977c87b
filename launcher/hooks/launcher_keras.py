"""Watch keras.Model: every fit leaves rows in history.csv, every fit and evaluate something in metrics.json.

`Model.fit` and `Model.evaluate` are replaced on the class, which every model inherits from, so a model that
overrides them and calls super() is seen once. What they take, return and raise is Keras' own.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import time
from typing import TYPE_CHECKING, Any

from .launcher_callbacks import holds, join, leave, make_callback
from .launcher_guard import Guard
from .launcher_history import Epoch, HistoryFile
from .launcher_metrics import FitSummary, MetricsFile, list_compiled, list_scalars
from .launcher_nan import end_run, find_lost
from .launcher_rehearse import shorten_evaluate, shorten_fit
from .launcher_run import read_run
from .launcher_stop import EarlyEnds, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .launcher_run import Run

_FIT_LOST = "the history of this run is incomplete"
_EVALUATE_LOST = "the metrics of this run are incomplete"


def watch_models(keras: Any, *, folder: str) -> None:
    """Watch all models of this process for the run in this folder; once, whatever is reloaded."""
    if hasattr(keras.Model.fit, "_launcher_watch"):
        return
    watch = _Watch(keras, read_run(folder))
    if watch.run.fast and not watch.run.rehearse:  # which is short, and must tell only of what is wrong
        watch.speed_up()
    keras.Model.fit = watch.wrap_fit(watch.checkpoint(keras.Model.fit))
    keras.Model.evaluate = watch.wrap_evaluate(keras.Model.evaluate)


class _Watch:
    """What all models of this process share."""

    def __init__(self, keras: Any, run: Run) -> None:
        self.keras, self.run = keras, run
        self.history = HistoryFile(run.folder, attempt=run.attempt)
        self.metrics = MetricsFile(run)
        self.early_ends = EarlyEnds(run)
        self.calls = itertools.count()
        self.fits: list[_Fit] = []

    def speed_up(self) -> None:
        """Let fit and evaluate go the fast way, below everything that watches them."""
        from .launcher_fast import FastPath  # noqa: PLC0415  # most runs are plain

        path = FastPath(self.keras, self.run, number=self._current, note=self.metrics.add_fast)
        model = self.keras.Model
        model.fit, model.evaluate = path.wrap_fit(model.fit), path.wrap_evaluate(model.evaluate)

    def checkpoint(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        """Return `fit` with checkpoints, where the run has some."""
        if self.run.checkpoint_s is None or self.run.rehearse:
            return fit
        from .launcher_checkpoint import Checkpoints  # noqa: PLC0415  # most runs have none

        return Checkpoints(self.keras, self.run, every_s=self.run.checkpoint_s, watch=self).wrap(fit)

    def wrap_fit(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(fit)

        @functools.wraps(fit)
        def watched_fit(*args: Any, **kwargs: Any) -> Any:
            call = _bind(signature, args, kwargs)
            if call is None:
                return fit(*args, **kwargs)  # which says what is wrong
            if self.run.rehearse:
                shorten_fit(call.arguments)
            return self._fit(fit, call)

        watched_fit._launcher_watch = self  # type: ignore[attr-defined]  # noqa: SLF001  # a mark on our own function
        return watched_fit

    def wrap_evaluate(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(evaluate)

        @functools.wraps(evaluate)
        def watched_evaluate(*args: Any, **kwargs: Any) -> Any:
            call = _bind(signature, args, kwargs)
            if call is None or self._is_validation(call.arguments):
                return evaluate(*args, **kwargs)
            if self.run.rehearse:
                shorten_evaluate(call.arguments)
            return self._evaluate(evaluate, call)

        return watched_evaluate

    def _fit(self, fit: Callable[..., Any], call: inspect.BoundArguments) -> Any:
        watched: list[_Fit] = []
        with Guard(_FIT_LOST):
            watched.append(_Fit(self, call))
        self.fits.extend(watched)
        try:
            return fit(*call.args, **call.kwargs)
        finally:
            for each in watched:
                self.fits.remove(each)
                each.end(call)

    def _evaluate(self, evaluate: Callable[..., Any], call: inspect.BoundArguments) -> Any:
        found: dict[str, float] = {}
        ours = None
        with Guard(_EVALUATE_LOST):
            ours = make_callback(
                self.keras, {"on_test_end": lambda logs=None: found.update(list_scalars(logs))}
            )
            _join(self.keras, call, ours=ours, first=True)
        try:
            result = evaluate(*call.args, **call.kwargs)
        finally:
            leave(self.keras, call.arguments.get("callbacks"), ours=ours)
        if found:
            with Guard(_EVALUATE_LOST):
                self.metrics.add_evaluation(found)
        return result

    def _current(self) -> int:
        """Return the number of the fit that is running, from 0."""
        return self.fits[-1].call if self.fits else 0

    def _is_validation(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether fit itself calls: it hands over its own callbacks, and ours among them."""
        callbacks = arguments.get("callbacks")
        return any(holds(self.keras, callbacks, ours=fit.callback) for fit in tuple(self.fits))


class _Fit:
    """One call of fit. Its index in history.csv is given with its first row."""

    def __init__(self, watch: _Watch, call: inspect.BoundArguments) -> None:
        self._watch, self._model, self.call = watch, call.args[0], next(watch.calls)
        self._index: int | None = None
        self._summary: FitSummary | None = None
        self._compiled: tuple[str, ...] = ()
        stop_when = watch.run.stop_when
        self._patience = None if stop_when is None else Patience(stop_when, model=self._model)
        self._logged: Mapping[str, float] = {}
        self._began = time.perf_counter()
        self.callback = make_callback(
            watch.keras, {"on_epoch_begin": self._begin_epoch, "on_epoch_end": self._end_epoch}
        )

        _join(watch.keras, call, ours=self.callback)

    def end(self, call: inspect.BoundArguments) -> None:
        """Write what this fit came to; nothing where no epoch ended."""
        leave(self._watch.keras, call.arguments.get("callbacks"), ours=self.callback)
        self._write_summary()
        if self._index is not None and self._patience is not None:
            self._patience.end(self._index, self._logged)

    def list_states(self) -> dict[str, object]:
        """Return the objects whose plain attributes a checkpoint keeps."""
        if self._summary is None:
            self._summary = FitSummary(self._watch.run, compiled=None)
        waiting = {} if self._patience is None else {"patience": self._patience}
        return {"fit": self, "summary": self._summary, **waiting}

    def _begin_epoch(self, _epoch: int, _logs: object = None) -> None:
        self._began = time.perf_counter()

    def _end_epoch(self, epoch: int, logs: Mapping[Any, Any] | None = None) -> None:
        seconds = time.perf_counter() - self._began
        values = list_scalars(logs)
        with Guard(_FIT_LOST):
            row = Epoch(epoch, seconds, values)
            self._index = self._watch.history.add(row, call=self.call, fit=self._index)
        with Guard(_EVALUATE_LOST):
            self._summarize(epoch, values)
        with Guard("stop_on_nan does not work"):
            self._stop_on_nan(epoch, values)
        with Guard("stop_when does not work"):
            self._stop_when(epoch, values)

    def _summarize(self, epoch: int, values: Mapping[str, float]) -> None:
        if self._summary is None:
            self._compiled = list_compiled(self._model)
            self._summary = FitSummary(self._watch.run, compiled=next(iter(self._compiled), None))
        self._summary.see(epoch, values)
        if self._index is not None:
            self._watch.metrics.add_epoch(self._index, self._summary)

    def _write_summary(self) -> None:
        if self._index is not None and self._summary is not None:
            with Guard(_EVALUATE_LOST):
                self._watch.metrics.end_fit(self._index, self._summary)

    def _stop_when(self, epoch: int, values: Mapping[str, float]) -> None:
        self._logged = values
        why = None if self._patience is None else self._patience.see(epoch, values)
        if why is not None:
            self._watch.early_ends.add(epoch, self.call if self._index is None else self._index, why)

    def _stop_on_nan(self, epoch: int, values: Mapping[str, float]) -> None:
        if not self._watch.run.stop_on_nan:
            return
        own = {*self._compiled, *(metric.name for metric in self._model.metrics)}
        lost = find_lost(values, metrics=own)
        if lost is not None:
            self._write_summary()  # nothing comes after this, and its last epochs may not be written yet
            fit = self.call if self._index is None else self._index
            end_run(self._watch.run, f"{lost} was {values[lost]} at the end of epoch {epoch} of fit {fit}")


def _join(keras: Any, call: inspect.BoundArguments, *, ours: Any, first: bool = False) -> None:
    call.arguments["callbacks"] = join(keras, call.arguments.get("callbacks"), ours=ours, first=first)


def _bind(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments | None:
    try:
        return signature.bind(*args, **kwargs)
    except TypeError:
        return None
