"""Find batches and runs by any unique prefix of their ids. Looks at names and plans, never at states.

Batch ids begin with the minute (UTC) in which they were made; within a minute the age of plan.json decides,
which is written once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.results.plan_file import read_plan
from launcher.results.records import FoundRun
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MINUTE_CHARACTERS = len("20261121-0213")
SHOWN = 5


def list_batches(home: Path) -> tuple[Path, ...]:
    """Return the folders of all batches, newest first. A folder without a plan is no batch yet."""
    root = home / names.BATCHES
    try:
        with os.scandir(root) as entries:
            found = [(age, entry.name) for entry in entries if (age := _age(entry.path)) is not None]
    except OSError:
        return ()
    found.sort(key=lambda item: (item[1][:MINUTE_CHARACTERS], *item), reverse=True)
    return tuple(root / name for _, name in found)


def find_batch(home: Path, prefix: str | None = None) -> Path:
    """Find a batch by any unique prefix of its id; without one, the newest.

    Raises:
        UsageError: no batch has that prefix, or several have.
    """
    batches = list_batches(home)
    if not batches:
        raise UsageError(f"There is no batch in {home} yet.", "Submit one: launcher submit jobs/*.yaml")
    if prefix is None:
        return batches[0]
    ids = [batch.name for batch in batches]
    found = match_one("batches", prefix, ids)
    if found is None:
        raise _unknown("batch", prefix, ids)
    return home / names.BATCHES / found


def find_run(home: Path, prefix: str, batch: str | None = None) -> FoundRun:
    """Find a run by any unique prefix of its id, or as BATCH/RUN: in the newest batch first, then in all.

    Args:
        home: the .launcher folder.
        prefix: what the run's id begins with, or BATCH/RUN.
        batch: a prefix of the only batch to look in.

    Raises:
        UsageError: no run has that prefix, or several have.
    """
    if batch is None and "/" in prefix:
        batch, prefix = prefix.split("/", 1)
    newest = find_batch(home, batch)
    ids = _read_ids_if_possible(newest) if batch is None else _read_ids(newest)
    found = match_prefix(prefix, ids)
    if len(found) > 1:
        raise _ambiguous(f"runs of {newest.name}", prefix, found)
    if found:
        return FoundRun(newest, found[0])
    if batch is not None:
        raise _unknown("run", prefix, ids, f" in {newest.name}")
    return _find_in_older(home, prefix, ids)


def match_prefix(prefix: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ids that begin with `prefix`; an id that equals it is the only match."""
    return (prefix,) if prefix in ids else tuple(each for each in ids if each.startswith(prefix))


def match_one(kind: str, prefix: str, ids: Sequence[str]) -> str | None:
    """Return the one id that begins with `prefix`, None where none does.

    Raises:
        UsageError: several do.
    """
    found = match_prefix(prefix, ids)
    if len(found) > 1:
        raise _ambiguous(kind, prefix, found)
    return found[0] if found else None


def _find_in_older(home: Path, prefix: str, newest_ids: Sequence[str]) -> FoundRun:
    found = [
        FoundRun(batch, run)
        for batch in list_batches(home)[1:]
        for run in match_prefix(prefix, _read_ids_if_possible(batch))
    ]
    if not found:
        raise _unknown("run", prefix, newest_ids)
    if len(found) > 1:
        raise _ambiguous("runs", prefix, [f"{each.batch.name}/{each.run}" for each in found])
    return found[0]


def _read_ids(batch: Path) -> tuple[str, ...]:
    return tuple(str(run["id"]) for run in read_plan(batch)["runs"] if isinstance(run, dict) and "id" in run)


def _read_ids_if_possible(batch: Path) -> tuple[str, ...]:
    try:
        return _read_ids(batch)
    except UsageError:
        return ()


def _age(batch: str) -> int | None:
    try:
        return os.stat(os.path.join(batch, names.PLAN)).st_mtime_ns
    except OSError:
        return None


def _unknown(kind: str, prefix: str, ids: Sequence[str], where: str = "") -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415  # only ever needed here, and 3 ms to import

    close = [each for each in ids if prefix and prefix in each] or get_close_matches(prefix, ids, SHOWN, 0.5)
    todo = f"Did you mean {_listing(close)}?" if close else f"There are: {_listing(ids) or 'none'}."
    return UsageError(f"No {kind}{where} begins with {prefix!r}.", todo)


def _ambiguous(kind: str, prefix: str, found: Sequence[str]) -> UsageError:
    return UsageError(
        f"{len(found):,} {kind} begin with {prefix!r}: {_listing(found)}.",
        "Write more of the one that you mean.",
    )


def _listing(ids: Iterable[str]) -> str:
    known = list(ids)
    more = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more
