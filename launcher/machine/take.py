"""Receive a folder on a node: say what is missing, write that, verify it. Runs at the node's end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

from launcher.machine.tree import FILE, FOLDER, Row
from launcher.machine.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.machine.wire import Wire

_NEW = ".launcher-new"
_SIBLINGS = 3
_CHUNK_BYTES = 1 << 20


def receive_bytes(
    wire: Wire, value: dict[str, Any], data: bytes, write: Callable[[bytes], object]
) -> dict[str, Any]:
    """Write what a file's messages carry, the first of which is given. Returns: the last, with its hash."""
    while True:
        write(data)
        if "sha256" in value:
            return value
        value, data = wire.get()


class Taker:
    """Receive one folder.

    Args:
        root: where it shall be.
        rows: what it holds, folders before what is in them.
    """

    def __init__(self, root: str, rows: list[Row]) -> None:
        self._root, self._rows = root, rows
        self._opened: dict[str, int] = {}
        os.makedirs(root, exist_ok=True)
        self._siblings = _find_siblings(root)

    def compare(self) -> tuple[list[int], list[int]]:
        """Return the numbers of files that are missing, and of those that may be there by another date."""
        need: list[int] = []
        maybe: list[int] = []
        for number, row in enumerate(self._rows):
            if row.kind == FILE:
                state = self._compare_file(row)
                if state is not None:
                    (maybe if state else need).append(number)
            elif row.kind == FOLDER:
                self._make_folder(row)
            else:
                self._make_link(row)
        return need, maybe

    def settle(self, number: int, digest: str) -> bool:
        """Use what is on this node already, where its content is the right one. Returns: whether it is."""
        row = self._rows[number]
        path = self._path(row)
        for source in (path, *(f"{sibling}/{row.path}" for sibling in self._siblings)):
            if _size_of(source) == row.size and _hash_of(source) == digest:
                if source != path:
                    self._open_folder(path)
                    shutil.copyfile(source, path + _NEW)
                    self._put_in_place(path, row)
                else:
                    _finish(path, row)
                return True
        return False

    def take(self, wire: Wire) -> str | None:
        """Receive one file. Returns: what went wrong with it, at the other end, or on the way."""
        value, data = wire.get()
        number = value.get("file")
        if not isinstance(number, int):
            raise WireError("a file without a number")
        row = self._rows[number]
        if "gone" in value:
            return f"{row.path}: {value['gone']}"
        path = self._path(row)
        self._open_folder(path)
        engine = hashlib.sha256()
        with open(path + _NEW, "wb", buffering=0) as file:
            end = receive_bytes(wire, value, data, lambda chunk: _write(file, engine, chunk))
        if engine.hexdigest() != end["sha256"]:
            os.unlink(path + _NEW)
            return f"{row.path}: it was damaged on its way"
        self._put_in_place(path, row)
        return None

    def finish(self) -> None:
        """Give folders the modes that they shall have, the innermost first."""
        for row in reversed(self._rows):
            if row.kind == FOLDER:
                path = self._path(row)
                if stat.S_IMODE(os.lstat(path).st_mode) != row.mode:
                    os.chmod(path, row.mode)

    def _path(self, row: Row) -> str:
        return os.path.join(self._root, row.path)

    def _compare_file(self, row: Row) -> bool | None:
        """Return None where the file is there, whether it may be, or not."""
        try:
            facts = os.lstat(self._path(row))
        except OSError:
            return any(_is_like(f"{sibling}/{row.path}", row) for sibling in self._siblings)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != row.size:
            return False
        if facts.st_mtime_ns != row.changed_ns:
            return True
        if stat.S_IMODE(facts.st_mode) != row.mode:
            os.chmod(self._path(row), row.mode)
        return None

    def _make_folder(self, row: Row) -> None:
        path = self._path(row)
        if not os.path.isdir(path) or os.path.islink(path):
            self._open_folder(path)
            _remove(path)
            os.mkdir(path, 0o700)

    def _make_link(self, row: Row) -> None:
        path = self._path(row)
        if os.path.islink(path) and os.readlink(path) == row.target:
            return
        self._open_folder(path)
        _remove(path)
        os.symlink(row.target, path)

    def _open_folder(self, path: str) -> None:
        """Make the folder of a path writable; `finish` closes it again."""
        folder = os.path.dirname(path)
        if not os.access(folder, os.W_OK | os.X_OK):
            os.chmod(folder, 0o700)

    def _put_in_place(self, path: str, row: Row) -> None:
        _finish(path + _NEW, row)
        if os.path.isdir(path) and not os.path.islink(path):
            _remove(path)
        os.replace(path + _NEW, path)


def _write(file: Any, engine: Any, chunk: bytes) -> None:
    engine.update(chunk)
    ahead = memoryview(chunk)
    while ahead:
        ahead = ahead[file.write(ahead) :]


def _finish(path: str, row: Row) -> None:
    os.chmod(path, row.mode)
    os.utime(path, ns=(row.changed_ns, row.changed_ns))


def _find_siblings(root: str) -> list[str]:
    """Return the newest folders beside this one: an earlier batch may hold the same files."""
    above, own = os.path.split(root)
    with contextlib.suppress(OSError):
        found = sorted((name for name in os.listdir(above) if name != own), reverse=True)
        return [os.path.join(above, name) for name in found[:_SIBLINGS]]
    return []


def _is_like(path: str, row: Row) -> bool:
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    is_file = stat.S_ISREG(facts.st_mode)
    return is_file and (facts.st_size, facts.st_mtime_ns) == (row.size, row.changed_ns)


def _size_of(path: str) -> int:
    try:
        facts = os.lstat(path)
    except OSError:
        return -1
    return facts.st_size if stat.S_ISREG(facts.st_mode) else -1


def _hash_of(path: str) -> str:
    engine = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                engine.update(chunk)
    except OSError:
        return ""
    return engine.hexdigest()


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        shutil.rmtree(path)
