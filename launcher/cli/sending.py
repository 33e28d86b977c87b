"""How far a batch is on its way to where it runs: a bar in bytes on a terminal, nothing in a pipe."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress


@contextmanager
def sending_bar() -> Iterator[Callable[[int, int], None]]:
    """Give what takes how many bytes have travelled, and how many will."""
    if not is_live():
        yield lambda _done, _total: None
        return
    bar = _Bar()
    try:
        yield bar.show
    finally:
        bar.stop()


def is_live() -> bool:
    """Tell whether there is a terminal on which something can be drawn anew in place."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class _Bar:
    """A bar that appears with the first bytes and goes with the last: lines may follow it at once."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def show(self, done: int, total: int) -> None:
        if self._progress is None:
            self._progress = _make_progress()
            self._progress.add_task("sending", total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done)
        if done >= total:
            self.stop()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = None


def _make_progress() -> Progress:
    from rich import progress  # 60 ms that a pipe need not pay
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        console=Console(stderr=True),
    )
