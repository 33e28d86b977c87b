"""Remove old batches. Never one that runs, never one that somebody did not agree to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.freeze import take_away
from launcher.results.batch import read_batch
from launcher.results.find import list_batches
from launcher.results.plan_file import read_plan
from launcher.runner import names
from launcher.runner.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Old:
    """A batch that may be removed: its folder, its state and what it takes on disk."""

    folder: Path
    state: str
    bytes: int


def find_old(home: Path, *, keep_last: int, now: datetime, boot_id: str | None) -> tuple[Old, ...]:
    """Return the batches to remove, newest first.

    None that is open, and none whose results count in one that stays.

    Args:
        keep_last: how many of the newest batches stay.
    """
    found: list[Old] = []
    counted_on: set[str] = set()
    for number, folder in enumerate(list_batches(home)):
        state = _state_of(folder, now=now, boot_id=boot_id)
        if number < keep_last or state in names.OPEN or folder.name in counted_on:
            counted_on |= _counts_on(folder)
        else:
            found.append(Old(folder, state, _size(folder)))
    return tuple(found)


def remove(old: Sequence[Old]) -> None:
    """Remove batches; one that somebody resumed meanwhile stays."""
    for batch in old:
        with Lock(str(batch.folder / names.RUNNER_LOCK)) as lock:
            if lock.try_to_take():
                take_away(batch.folder)


def _state_of(folder: Path, *, now: datetime, boot_id: str | None) -> str:
    try:
        return read_batch(folder, now=now, boot_id=boot_id).state
    except UsageError:
        return "unreadable"


def _counts_on(folder: Path) -> set[str]:
    """Return the batches in which runs had succeeded that this one left out."""
    try:
        return {str(entry["batch"]) for entry in read_plan(folder).get("skipped") or ()}
    except (UsageError, TypeError, KeyError):
        return set()


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
