"""End the process of a run that went well as the interpreter would, up to taking apart what it had imported.

To take Keras and TensorFlow apart, module by module, is a tenth of the time of a short run, and nobody sees
it. What is seen comes first, in the interpreter's own order: threads are waited for, exit handlers called,
streams flushed, and the script's own modules taken apart, so that its objects end and its files are written.
A run that failed ends in the interpreter's way.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

    Names = dict[str, Any]

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
_EXIT_CODE_OF_LOST_OUTPUT = 120  # as of the interpreter


class End:
    """The end of a process; made before anything is imported that wants to hear of it.

    As a context it takes in how the script ended.
    """

    def __init__(self) -> None:
        self._is_well, self._folder = False, ""
        # Handlers are called last first: one that was there before us would not be called any more.
        self._is_last = not atexit._ncallbacks()  # noqa: SLF001  # nothing else tells
        atexit.register(self._leave)

    def __enter__(self) -> None:
        """Enter the script, which lies in the current folder; later it may be in another."""
        self._folder = os.path.join(os.getcwd(), "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Take in whether it went well."""
        code = error.code if isinstance(error, SystemExit) else None
        is_exit = kind is None or kind is SystemExit
        self._is_well = is_exit and (code is None or (isinstance(code, int) and code == 0))

    def _leave(self) -> None:
        if not (self._is_well and self._is_last):
            return
        try:
            _flush_streams()
        except Exception:  # noqa: BLE001  # a stream may be the script's own
            return  # the interpreter has its way to tell
        _flush_files()
        _take_apart(list(_modules_below(self._folder)))
        ctypes.CDLL(None).fflush(None)
        os._exit(_flush_last())


def _modules_below(folder: str) -> Iterator[str]:
    """Yield the names of the modules that lie in a folder, and of the script."""
    for name, module in list(sys.modules.items()):
        if name == "__main__" or str(getattr(module, "__file__", None)).startswith(folder):
            yield name


def _take_apart(names: list[str]) -> None:
    """Let go of modules as the interpreter does: by forgetting them, then by clearing what is still there."""
    spaces = {id(getattr(sys.modules[name], "__dict__", None)): name for name in names}
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]
    gc.collect()
    left = [each for each in gc.get_objects() if id(each) in spaces]
    for space in left:
        if type(space) is dict and space.get("__name__") == spaces[id(space)]:  # not another in its place
            _clear(space, private=True)
            _clear(space, private=False)
    if left:
        gc.collect()


def _clear(space: Names, *, private: bool) -> None:
    for name in list(space):
        if name != "__builtins__" and (name[:1] == "_" and name[1:2] != "_") is private:
            space[name] = None


def _flush_files() -> None:
    """Write what waits in open files: the collector may end the parts of one in the wrong order."""
    for each in gc.get_objects():
        if type(each) in _FILES:
            with contextlib.suppress(Exception):
                each.flush()


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None and not getattr(stream, "closed", False):
            stream.flush()


def _flush_last() -> int:
    """Return the exit code; what ended objects said may not have found its way."""
    try:
        _flush_streams()
    except Exception:  # noqa: BLE001
        return _EXIT_CODE_OF_LOST_OUTPUT
    return 0
