"""What finished runs left, by the journal, and whether home has it byte for byte. Reads files only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from launcher.results.journal import read_events
from launcher.runner import names
from launcher.runner.disk import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FACTS = 2


class Missing(NamedTuple):
    """A file that a finished run left and that home does not have as it was left."""

    path: str
    reason: str


def read_left(batch: Path) -> dict[str, Mapping[str, tuple[int, str]]]:
    """Return size and sha256 of each file that a run left, by run and path there; only of runs that ended."""
    left: dict[str, Mapping[str, tuple[int, str]]] = {}
    for event in read_events(str(batch)):
        run, files = event.get("run"), event.get("files")
        if not isinstance(run, str):
            continue
        if event.get("event") == "ended" and isinstance(files, dict):
            left[run] = {name: _facts(value) for name, value in files.items()}
        else:
            left.pop(run, None)
    return left


def find_missing(batch: Path, run: str, files: Mapping[str, tuple[int, str]]) -> Iterator[Missing]:
    """Yield what home lacks of what a run left."""
    for name, (size, digest) in files.items():
        path = f"{names.RUNS}/{run}/{name}"
        if ".." in path.split("/") or path.startswith("/"):
            yield Missing(path, "no name of a result")
            continue
        reason = _why_missing(batch / path, size, digest)
        if reason:
            yield Missing(path, reason)


def _why_missing(path: Path, size: int, digest: str) -> str:
    try:
        found = hash_file(str(path))
    except OSError:
        found = None
    if found == (size, digest) or _is_beside(path, size, digest):
        return ""
    return "at home it is not what the run left" if found else "it is not at home"


def _is_beside(path: Path, size: int, digest: str) -> bool:
    """Tell whether the user changed the file at home, and what the run left stands beside it."""
    try:
        return hash_file(str(path.with_name(f"{path.name}.remote-{digest[:8]}"))) == (size, digest)
    except (OSError, ValueError):
        return False


def _facts(value: object) -> tuple[int, str]:
    if isinstance(value, list) and len(value) == _FACTS and isinstance(value[1], str):
        return (value[0] if type(value[0]) is int else -1), value[1]
    return -1, ""
