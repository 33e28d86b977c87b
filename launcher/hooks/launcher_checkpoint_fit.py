"""One checkpointed fit: from where it begins, what is saved while it runs, and what its end leaves."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .launcher_callbacks import join, leave, make_callback
from .launcher_checkpoint_file import Checkpoint, sync
from .launcher_checkpoint_leave import Leaving
from .launcher_checkpoint_state import put_state_back, take_state
from .launcher_guard import Guard, say

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator, Sequence

_NOT_SAVED = "a checkpoint was not saved"


class CheckpointedFit:
    """One call of fit.

    Args:
        run: the checkpoints of this run.
        number: which fit it is, from 0.
        callbacks: the user's.
        facts: what each of its checkpoints says of it.
        found: its last checkpoint, which fits it.
    """

    def __init__(
        self,
        run: Any,
        number: int,
        call: inspect.BoundArguments,
        *,
        callbacks: Sequence[Any],
        facts: dict[str, Any],
        found: Checkpoint | None,
    ) -> None:
        self._run, self._number, self._call, self._facts = run, number, call, facts
        self._model, self._callbacks, self._found = call.args[0], list(callbacks), found
        self._before = run.files.look()
        self._held: Checkpoint | None = None
        self._is_begun, self._epoch = False, -1
        self._initial_epoch = getattr(self._model, "_initial_epoch", None)
        self._leaving = Leaving(
            is_newest=lambda: self._held is not None and self._held.facts["epoch"] == self._epoch,
            save_held=self._save_held,
        )

    def run(self, fit: Callable[..., Any]) -> Any:
        """Train what is left to train. Returns: what fit returns, of all attempts."""
        if self._found is not None:
            for root, path, _ in self._found.facts["files"]:
                self._before.pop((root, path), None)
            self._run.past[:] = self._found.facts["past"]
            if self._found.facts["is_end"]:
                return self._skip(self._found)
            self._prepare_resume(self._found)
        return self._train(fit)

    # What was finished

    def _skip(self, found: Checkpoint) -> Any:
        say(f"fit {self._number} was finished before, so it is not trained again")
        history = self._model.history = self._find_history()
        for callback in (*self._callbacks, history):
            callback.set_model(self._model)
            callback.set_params(found.facts["params"])
        self._run.store.put_files_back(found)
        self._put_back(found)
        return history

    def _find_history(self) -> Any:
        kind = self._run.keras.callbacks.History
        own = [each for each in self._callbacks if isinstance(each, kind)]
        return own[-1] if own else kind()

    # What was cut off

    def _prepare_resume(self, found: Checkpoint) -> None:
        epoch, epochs = found.facts["epoch"], self._call.arguments.get("epochs", 1)
        reasons = self._facts["reasons"]
        exactly = f", not exactly: {'; '.join(reasons)}" if reasons else ""
        say(f"fit {self._number} goes on at epoch {epoch + 1} of {epochs}{exactly}")
        self._run.past.extend(reason for reason in reasons if reason not in self._run.past)
        self._call.arguments["initial_epoch"] = epoch
        self._run.store.put_files_back(found)

    def _train(self, fit: Callable[..., Any]) -> Any:
        keras, arguments = self._run.keras, self._call.arguments
        first = make_callback(keras, {"on_epoch_begin": self._begin_epoch})
        last = make_callback(keras, {"on_train_begin": self._begin_training})
        arguments["callbacks"] = join(keras, arguments.get("callbacks"), ours=last)
        arguments["callbacks"] = join(keras, arguments["callbacks"], ours=first, first=True)
        try:
            with self._leaving:
                with self._appending():
                    result = fit(*self._call.args, **self._call.kwargs)
                self._finish()
        finally:
            for ours in (first, last):
                leave(keras, arguments["callbacks"], ours=ours)
        return result

    @contextmanager
    def _appending(self) -> Iterator[None]:
        """Keep every CSVLogger from emptying its file when a fit goes on."""
        kind = self._run.keras.callbacks.CSVLogger
        loggers = [each for each in self._callbacks if isinstance(each, kind) and self._found is not None]
        before = [(each.append, each.append_header) for each in loggers]
        for logger in loggers:
            logger.append = True
        yield
        for logger, (append, append_header) in zip(loggers, before, strict=True):
            logger.append, logger.append_header = append, append_header

    def _begin_training(self, _logs: object = None) -> None:
        # Keras' own BackupAndRestore, whose files may be newer than our checkpoint, may have set this.
        if self._found is not None:
            self._model._initial_epoch = self._found.facts["epoch"]  # noqa: SLF001  # no other way past it

    def _begin_epoch(self, epoch: int, _logs: object = None) -> None:
        self._epoch = epoch
        if not self._is_begun:
            self._is_begun = True
            self._run.pace.begin_epoch()
            self._begin_first_epoch()
            return
        with Guard(_NOT_SAVED):
            self._look_at_clock(epoch)
        if self._leaving.is_asked:
            self._leaving.leave()

    def _begin_first_epoch(self) -> None:
        if self._found is None:
            return
        self._model._initial_epoch = self._initial_epoch  # noqa: SLF001
        self._put_back(self._found)
        self._found = None
        for callback in self._callbacks:
            if isinstance(callback, self._run.keras.callbacks.CSVLogger):
                callback.append_header = False  # its header came back with its file

    def _look_at_clock(self, epoch: int) -> None:
        pace = self._run.pace
        took = pace.begin_epoch()
        if pace.is_due() or self._leaving.is_asked:
            with self._leaving.saving, pace.saving():
                self._held = None
                self._save(self._take(epoch, is_end=False))
        elif pace.may_hold(took):
            with pace.holding():
                self._held = self._take(epoch, is_end=False)

    def _finish(self) -> None:
        with Guard(_NOT_SAVED), self._leaving.saving:
            self._held = None
            if self._run.pace.may_finish() or self._leaving.is_asked:
                with self._run.pace.saving():
                    self._save(self._take(self._call.arguments.get("epochs", 1), is_end=True))
        if self._leaving.is_asked:
            self._leaving.leave()

    # States

    def _take(self, epoch: int, *, is_end: bool) -> Checkpoint:
        state = take_state(self._model, callbacks=self._callbacks, ours=self._list_ours())
        watch = self._run.watch
        calls = next(watch.calls)
        watch.calls = itertools.count(calls)
        own = {"epoch": epoch, "is_end": is_end, "params": self._model.history.params}
        state.facts.update(self._facts, **own, past=list(self._run.past), calls=calls)
        return state

    def _put_back(self, state: Checkpoint) -> None:
        put_state_back(self._model, state, callbacks=self._callbacks, ours=self._list_ours())
        self._run.watch.calls = itertools.count(state.facts["calls"])
        with Guard("the metrics of this run are incomplete"):
            self._run.watch.metrics.add_resume(self._run.past)

    def _list_ours(self) -> dict[str, Any]:
        """Return what else has a state that goes with this fit, by name."""
        return {"history": self._model.history, **self._run.watch.fits[-1].list_states()}

    def _save_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._save(held)

    def _save(self, state: Checkpoint) -> None:
        sync(self._run.run.path("history.csv"))  # no checkpoint without the rows before it
        self._run.store.save(self._number, state, before=self._before)
