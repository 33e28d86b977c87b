"""What a job folder holds at one moment: plain values, and their listing. Reads no job folder."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["file", "dir", "link"]
_EXECUTABLE = 0o100


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link.

    `path` is relative with forward slashes, bytes that are not UTF-8 as surrogate escapes. `sha256` is a
    file's, `target` a link's.
    """

    path: str
    kind: Kind
    mode: int
    size: int = 0
    sha256: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a whole folder, that is not taken, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The entries of a folder, sorted by the bytes of their paths: a folder stands before what it holds."""

    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def files(self) -> int:
        """How many files are taken."""
        return sum(entry.kind == "file" for entry in self.entries)

    @property
    def bytes(self) -> int:
        """How many bytes are in them."""
        return sum(entry.size for entry in self.entries)

    @property
    def sha256(self) -> str:
        """The hash of all that a run can depend on.

        Of permissions only a file's executable bit counts, as in git: a clone under another umask is the same
        code. Times do not count.
        """
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(_identity(entry))
        return digest.hexdigest()


def write_listing(tree: Tree, path: Path) -> None:
    """Write one JSON line an entry; the runner restores modes and links from it."""
    lines = (json.dumps(_as_json(entry), separators=(",", ":")) + "\n" for entry in tree.entries)
    neighbour = path.with_name(path.name + ".part")
    with neighbour.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(lines)
    neighbour.replace(path)


def _as_json(entry: Entry) -> dict[str, str | int | None]:
    return {
        "path": entry.path,
        "kind": entry.kind,
        "mode": entry.mode,
        "size": entry.size,
        "sha256": entry.sha256,
        "target": entry.target,
    }


def _identity(entry: Entry) -> bytes:
    """Return the bytes that stand for an entry; no name can hold the zero bytes between the parts."""
    kind = "executable" if entry.kind == "file" and entry.mode & _EXECUTABLE else entry.kind
    content = entry.sha256 or entry.target or ""
    return b"\0".join((kind.encode(), os.fsencode(entry.path), os.fsencode(content), b""))
