"""Act when the script has imported a package. Changes nothing in how it is found and loaded.

The first finder of sys.meta_path lets the others find a watched module, and borrows its loader's
`exec_module` for that one import. Actions wait for the outermost watched import: while `import keras` runs,
NumPy and TensorFlow come in below it, and keras.utils.set_random_seed can only be called once all of that
is done.
"""

from __future__ import annotations

import sys
from _thread import _local

from .launcher_guard import Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Action = Callable[[ModuleType], None]


class ImportWatch:
    """A finder that finds nothing itself.

    Args:
        actions: what to call with a module, by its full name, after its import.
        hold: called before an outermost import; what it returns is called right after that import.
    """

    def __init__(
        self, actions: Mapping[str, Sequence[Action]], *, hold: Callable[[], Callable[[], None]]
    ) -> None:
        self._actions, self._hold = actions, hold
        self._here = _Thread()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find; None for all that is not watched."""
        if name not in self._actions:
            return None
        spec = self._ask_others(name, path, target)
        if spec is not None:
            self._borrow(spec.loader)
        return spec

    def _ask_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find_spec = None if isinstance(finder, ImportWatch) else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                return spec
        return None

    def _borrow(self, loader: Any) -> None:
        """Stand in for the loader's `exec_module` once; when the module runs, the loader is as before."""
        if not hasattr(loader, "exec_module") or not hasattr(loader, "__dict__"):
            return

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            self._execute(module, loader.exec_module)

        loader.exec_module = exec_module

    def _execute(self, module: ModuleType, exec_module: Action) -> None:
        here = self._here
        release = self._hold() if here.depth == 0 else None
        here.depth += 1
        try:
            exec_module(module)
            here.finished.append(module)
        finally:
            here.depth -= 1
            if release is not None:
                release()
                self._act()

    def _act(self) -> None:
        finished, self._here.finished = self._here.finished, []
        for module in finished:
            for action in self._actions.get(module.__name__, ()):
                with Guard(f"{module.__name__} is not hooked"):
                    action(module)


class _Thread(_local):
    """What is being imported, by thread: how deep, and what waits for the outermost import."""

    def __init__(self) -> None:
        self.depth = 0
        self.finished: list[ModuleType] = []
