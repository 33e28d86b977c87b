"""Checkpoint every fit of a run, and let a run that was cut off go on as if nothing had happened.

The script runs again from its first line. A fit that was finished is not trained again: model, optimizer,
callbacks, files and random states become what they were at its end. One that was cut off goes on at the
epoch of its last checkpoint. A fit is known by its number and by hashes of its model, settings and data.
"""

from __future__ import annotations

import functools
import inspect
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .launcher_checkpoint_files import FileKeeper
from .launcher_checkpoint_fit import CheckpointedFit
from .launcher_checkpoint_pace import Pace
from .launcher_checkpoint_prints import find_inexact, take_fingerprint
from .launcher_checkpoint_state import build, fits
from .launcher_checkpoint_store import Store
from .launcher_guard import Guard, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from .launcher_checkpoint_file import Checkpoint
    from .launcher_run import Run

try:
    import fcntl
except ImportError:  # Windows, where no runner runs
    fcntl = None  # type: ignore[assignment]

_LOST = "this fit is not checkpointed"


class Checkpoints:
    """The checkpoints of one run, as this process knows them.

    Args:
        every_s: the time between two checkpoints of a fit.
        watch: what else watches the models of this process.
    """

    def __init__(self, keras: Any, run: Run, *, every_s: float, watch: Any) -> None:
        self.keras, self.watch, self.run = keras, watch, run
        self.pace = Pace(every_s)
        self.files = FileKeeper(
            run.path("checkpoint/files"), roots={"work": run.path("work"), "outputs": run.path("outputs")}
        )
        self.store = Store(run.path("checkpoint"), files=self.files)
        self.past: list[str] = []
        self._count, self._is_busy = 0, False
        self._owner: tuple[int, int] | None = None

    def wrap(self, fit: Callable[..., Any]) -> Callable[..., Any]:
        """Return `fit` with checkpoints."""
        signature = inspect.signature(fit)

        @functools.wraps(fit)
        def checkpointed_fit(*args: Any, **kwargs: Any) -> Any:
            call = signature.bind(*args, **kwargs)
            if self._is_busy or not self._is_owner():
                self._say_not_alone()
                return fit(*args, **kwargs)
            self._is_busy = True
            try:
                return self._fit(fit, call)
            finally:
                self._is_busy = False

        return checkpointed_fit

    def _fit(self, fit: Callable[..., Any], call: inspect.BoundArguments) -> Any:
        number, self._count = self._count, self._count + 1
        prepared: list[CheckpointedFit] = []
        with Guard(_LOST):
            prepared.append(self._prepare(number, call))
        return prepared[0].run(fit) if prepared else fit(*call.args, **call.kwargs)

    def _prepare(self, number: int, call: inspect.BoundArguments) -> CheckpointedFit:
        model, arguments = call.args[0], dict(list(call.arguments.items())[1:])
        callbacks = self._list_callbacks(arguments.get("callbacks"))
        prints = take_fingerprint(model, arguments, callbacks=callbacks)
        reasons = find_inexact(model, arguments, callbacks=callbacks)
        found = self.store.load(number)
        if found is not None and not self._is_same(found, prints, model, arguments, callbacks):
            self.store.drop_from(number)
            found = None
        facts = {"prints": prints, "reasons": reasons}
        return CheckpointedFit(self, number, call, callbacks=callbacks, facts=facts, found=found)

    def _is_same(
        self,
        found: Checkpoint,
        prints: dict[str, str],
        model: Any,
        arguments: dict[str, Any],
        callbacks: list[Any],
    ) -> bool:
        number = self._count - 1
        changed = [name for name, digest in prints.items() if found.facts["prints"].get(name) != digest]
        if changed:
            say(f"fit {number} starts over: its {' and '.join(changed)} changed since its checkpoint")
            return False
        with Guard(f"fit {number} starts over: its model can't be built before it is trained"):
            build(model, arguments)
            if fits(model, found, callbacks=callbacks):
                return True
            say(f"fit {number} starts over: its checkpoint is one of another model")
        return False

    def _list_callbacks(self, callbacks: Any) -> list[Any]:
        """Return the callbacks whose state counts: the user's, none of launcher's own."""
        given = callbacks.callbacks if isinstance(callbacks, self.keras.callbacks.CallbackList) else callbacks
        found = self.keras.tree.flatten(given) if given else []
        return [each for each in found if type(each).__name__ != "LauncherCallback"]

    def _is_owner(self) -> bool:
        """Tell whether checkpoints are this process's: the first of a run that fits has them all."""
        if self._owner is not None:
            return self._owner[0] == os.getpid()
        with suppress(OSError):
            os.makedirs(self.run.path("checkpoint"), exist_ok=True)
            descriptor = os.open(self.run.path("checkpoint/lock"), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._owner = (os.getpid(), descriptor)
            return True
        return False

    def _say_not_alone(self) -> None:
        reason = "several fits run at a time or inside each other, and only the first is checkpointed"
        if reason not in self.past:
            self.past.append(reason)
            say(reason)
