"""Watch a batch until it ends. Reads files and draws; stopping to watch stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from launcher.report.lines import View, plain_lines
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from launcher.results.life import START_S
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from launcher.results.records import BatchRecord

_EVERY_S = 0.5
_SHARE = 0.1  # of the time at most goes into reading a large batch


class Screen(Protocol):
    """Where a followed batch is shown."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last view standing."""

    def show(self, view: View) -> None:
        """Show one moment."""


def follow(
    folder: Path,
    *,
    screen: Screen,
    now: Callable[[], datetime],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    boot_id: str | None,
    refresh: Callable[[], None] = lambda: None,
    patience_s: float = 0.0,
) -> BatchRecord:
    """Show a batch until nothing more will happen to it by itself.

    Args:
        refresh: brings home what is new of a batch on another computer.
        patience_s: how long it is waited for somebody else to start a runner again that is gone; for one
            that is still on its way it is waited for START_S at least.

    Returns:
        the batch as it was seen last.
    """
    hoped_at = clock()
    with screen:
        while True:
            refresh()
            began = clock()
            batch = read_batch(folder, now=now(), boot_id=boot_id)
            screen.show(View(batch, now(), read_details(batch)))
            # A living runner may still try a failed run again, or be asked to.
            if batch.runner.alive:
                hoped_at = began
            elif began - hoped_at >= _patience_s(batch.state, patience_s):
                return batch
            sleep(max(_EVERY_S, (clock() - began) / _SHARE))


def _patience_s(state: str, patience_s: float) -> float:
    if state in names.OPEN:  # its runner may be on the way; or it never was, or could write nothing
        return max(patience_s, START_S)
    return patience_s if state == names.INTERRUPTED else 0.0


class PlainScreen:
    """Lines for a pipe or a file: what changed, and now and then how far it is.

    Args:
        write: takes a line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._previous: View | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, view: View) -> None:
        """Write what is new."""
        for line in plain_lines(self._previous, view):
            self._write(line)
        self._previous = view


class LiveScreen:
    """A view that is drawn anew in place, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - 60 ms that a pipe need not pay
        from rich.live import Live  # noqa: PLC0415

        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, view: View) -> None:
        """Draw one moment."""
        from launcher.report.live import live_view  # noqa: PLC0415

        drawn = live_view(view.batch, now=view.now, details=view.details, columns=self._console.width)
        self._live.update(drawn, refresh=True)
