"""The checkpoints of a run: of each fit that is finished its end, of the one that runs the last two states.

`checkpoint/0003.end` is the end of fit 3; `0003.a` and `0003.b` take turns while it runs, so that a power
cut in the middle of one leaves the other.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from .launcher_checkpoint_file import Checkpoint, read_checkpoint, sync, write_checkpoint
from .launcher_checkpoint_files import FileKeeper, Kept, Marks

_END = "end"
_TURNS = ("a", "b")


class Store:
    """Read and write them.

    Args:
        folder: where checkpoints lie; made when there is one to write.
        files: keeps what callbacks write.
    """

    def __init__(self, folder: str, *, files: FileKeeper) -> None:
        self._folder, self._files = folder, files
        self._keys: dict[tuple[int, str], set[str]] = {}

    def load(self, fit: int) -> Checkpoint | None:
        """Return the latest checkpoint of a fit that is whole, None where there is none."""
        found = {kind: self._read(fit, kind) for kind in (_END, *_TURNS)}
        whole = [each for each in found.values() if each is not None]
        return max(whole, key=lambda each: (each.facts["is_end"], each.facts["epoch"]), default=None)

    def save(self, fit: int, state: Checkpoint, *, before: Marks) -> None:
        """Put a checkpoint of a fit on disk, with the files that changed since `before`.

        Raises:
            OSError: there is no room; the one before is still there.
        """
        os.makedirs(self._folder, exist_ok=True)
        kept = self._files.keep(fit, before)
        state.facts["files"] = [list(each) for each in kept]
        kind = _END if state.facts["is_end"] else self._next_turn(fit)
        write_checkpoint(self._path(fit, kind), state)
        self._keys[fit, kind] = {each.key for each in kept}
        if kind == _END:
            for turn in _TURNS:
                self._remove(fit, turn)
        self._forget_files(fit)

    def put_files_back(self, state: Checkpoint) -> None:
        """Write the files of a checkpoint where they were."""
        self._files.put_back(_files_of(state))

    def drop_from(self, fit: int) -> None:
        """Forget a fit and all that came after it."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                number, _, kind = name.partition(".")
                if number.isdigit() and int(number) >= fit:
                    self._remove(int(number), kind)
                    self._forget_files(int(number))
            sync(self._folder)

    def _forget_files(self, fit: int) -> None:
        used = (keys for (owner, _), keys in self._keys.items() if owner == fit)
        self._files.forget_all_but(fit, set().union(*used))

    def _read(self, fit: int, kind: str) -> Checkpoint | None:
        state = read_checkpoint(self._path(fit, kind))
        if state is None or not self._files.has(_files_of(state)):
            return None
        self._keys[fit, kind] = {each.key for each in _files_of(state)}
        return state

    def _next_turn(self, fit: int) -> str:
        """Return the turn whose file is the older, or torn, or not there."""

        def age(kind: str) -> tuple[bool, int]:
            path = self._path(fit, kind)
            is_known = (fit, kind) in self._keys
            return is_known, os.stat(path).st_mtime_ns if is_known and os.path.exists(path) else 0

        return min(_TURNS, key=age)

    def _remove(self, fit: int, kind: str) -> None:
        self._keys.pop((fit, kind), None)
        with suppress(FileNotFoundError):
            os.unlink(self._path(fit, kind))

    def _path(self, fit: int, kind: str) -> str:
        return os.path.join(self._folder, f"{fit:04d}.{kind}")


def _files_of(state: Checkpoint) -> list[Kept]:
    found: list[list[Any]] = state.facts["files"]
    return [Kept(*each) for each in found]
