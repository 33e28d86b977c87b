"""SIGTERM while a fit runs: save what is newest, and leave within five seconds.

A script that handles the signal itself keeps its own way. Epochs of a moment are let end, for the state
between two epochs is what can be saved; of long ones the state before is held in memory for this.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from .launcher_guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 3.0
_TERMINATED = 128 + signal.SIGTERM
_NOT_SAVED = "the last epochs are not saved"


class Leaving:
    """Listen while a fit runs.

    Args:
        is_newest: tells whether the state that is held in memory is that of the last epoch.
        save_held: saves that state, if there is one.
        end_process: ends this process at once, with an exit code.
    """

    def __init__(
        self,
        *,
        is_newest: Callable[[], bool],
        save_held: Callable[[], None],
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self.is_asked = False
        self.saving = threading.Lock()  # held by an epoch that saves: nobody leaves in the middle of that
        self._is_newest, self._save_held, self._end_process = is_newest, save_held, end_process
        self._before: Any = None

    def __enter__(self) -> None:
        """Listen, where that disturbs nobody."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, self._ask)

    def __exit__(self, *_: object) -> None:
        """Listen no longer."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    def leave(self) -> NoReturn:
        """End this process as the signal would have."""
        for stream in (sys.stdout, sys.stderr):
            with Guard("the last output may be lost"):
                stream.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(_TERMINATED)  # where the signal is blocked

    def _ask(self, _number: int, _frame: object) -> None:
        if self.is_asked:
            return
        self.is_asked = True
        if self._is_newest():
            with Guard(_NOT_SAVED):
                self._save_held()
            self.leave()
        late = threading.Timer(_PATIENCE_S, self._leave_late)
        late.daemon = True
        late.start()

    def _leave_late(self) -> None:
        """Leave in an epoch that takes longer than it should: it must not cost the run its grace."""
        with self.saving:
            with Guard(_NOT_SAVED):
                self._save_held()
            self._end_process(_TERMINATED)
