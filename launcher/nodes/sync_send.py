"""Bring a folder to a node: only what it lacks travels, in one stream, and is verified there by sha256."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from launcher.errors import NodeError
from launcher.machine.give import Giver
from launcher.machine.tree import FILE, walk
from launcher.nodes.node import Moved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from launcher.machine.tree import Row
    from launcher.machine.wire import Wire
    from launcher.nodes.sync_peer import Peer

_CHUNK_BYTES = 1 << 20
_SILENCE_S = 600.0  # while the node compares gigabytes with what it has


def send(
    peer: Peer,
    folder: Path,
    *,
    to: str,
    exclude: Sequence[str],
    tell: Callable[[int, int], None] | None,
) -> Moved:
    """Send what is new or has changed.

    Raises:
        NodeError: it could not be written there, or something changed here meanwhile.
    """
    rows = [found.row for found in walk(str(folder), exclude)]
    with peer.talking(_SILENCE_S) as wire:
        wire.put({"op": "send", "root": to})
        wire.put_rows(rows)
        peer.hear()
        numbers = _settle(wire, folder, rows)
        size_bytes = sum(rows[number].size for number in numbers)
        _give(wire, folder, [(number, rows[number].path) for number in numbers], size_bytes, tell)
        wire.flush()
        wrong = peer.answer().get("wrong")
    if wrong:
        raise NodeError(f"{peer.name} did not get all of it: {wrong[0]}.", "Try again.")
    return Moved(tuple(rows[number].path for number in numbers), size_bytes)


def _settle(wire: Wire, folder: Path, rows: Sequence[Row]) -> list[int]:
    """Return the numbers of the files that must travel."""
    need = _numbers(wire, rows)
    maybe = _numbers(wire, rows)
    if not maybe:
        return need
    wire.put_rows([(number, _hash_of(folder / rows[number].path)) for number in maybe])
    wire.flush()
    return need + _numbers(wire, rows)


def _numbers(wire: Wire, rows: Sequence[Row]) -> list[int]:
    return [
        number
        for number in wire.get_rows()
        if type(number) is int and 0 <= number < len(rows) and rows[number].kind == FILE
    ]


def _give(
    wire: Wire,
    folder: Path,
    files: Sequence[tuple[int, str]],
    total: int,
    tell: Callable[[int, int], None] | None,
) -> None:
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        if tell and total:
            tell(min(done, total), total)  # a file may have grown meanwhile

    Giver(wire, count=count).give(os.fspath(folder), ((number, path, 0, "") for number, path in files))


def _hash_of(path: Path) -> str:
    engine = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                engine.update(chunk)
    except OSError:
        return ""
    return engine.hexdigest()
