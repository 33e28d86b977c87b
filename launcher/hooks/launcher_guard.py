"""The one place where failures of the hooks end: a line on stderr, once a kind, and the script goes on."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing itself would cost more than all of this start
if TYPE_CHECKING:
    from types import TracebackType

_said: set[str] = set()


class Guard:
    """Let no failure inside the block reach the script.

    Args:
        loss: what is lost by a failure, for the line on stderr.
    """

    def __init__(self, loss: str) -> None:
        self._loss = loss

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Say what is lost and go on; what is no Exception (Ctrl-C) passes."""
        if kind is None or not issubclass(kind, Exception):
            return False
        if self._loss not in _said:
            _said.add(self._loss)
            say(f"{self._loss}: {kind.__name__}: {error}")
        return True


def say(text: str) -> None:
    """Write one line to stderr, if there is one."""
    try:
        sys.stderr.write(f"launcher: {' '.join(text.split())}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # None, full or closed
        pass
