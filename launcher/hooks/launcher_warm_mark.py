"""Have the kernel show a forked run's own variables, by which a later runner finds what this one left.

/proc/PID/environ shows the memory that held the variables when the worker was started, whatever os.environ
holds by now, and a fork shows the worker's. So the worker is started with a variable of padding, and the
process of a run writes its own variables over it.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PADDING = "LAUNCHER_WARM"


class Mark:
    """The room for a run's variables in the memory that the kernel shows."""

    def __init__(self) -> None:
        get: ctypes._FuncPointer = ctypes.CDLL(None).getenv
        get.argtypes, get.restype = [ctypes.c_char_p], ctypes.c_void_p
        value: int | None = get(PADDING.encode())
        self._room = len(PADDING) + 1 + len(os.environ.pop(PADDING, ""))
        self._address = 0 if value is None else value - len(PADDING) - 1

    def find_obstacle(self, variables: Mapping[str, str]) -> str | None:
        """Return why these variables can't be shown; None where they can."""
        if not self._address or not self._is_shown():
            return "the variables of a forked process can't be shown here"
        return "its paths are too long" if len(_encode(variables)) > self._room else None

    def write(self, variables: Mapping[str, str]) -> None:
        """Show these variables; there is room for them."""
        ctypes.memmove(self._address, _encode(variables).ljust(self._room, b"\0"), self._room)

    def _is_shown(self) -> bool:
        """Try it: what stands in the memory must stand in the file."""
        held = ctypes.string_at(self._address, self._room)
        with open("/proc/self/environ", "rb") as file:
            return held in file.read()


def _encode(variables: Mapping[str, str]) -> bytes:
    return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in variables.items())
