"""Find runs that succeeded in earlier batches, for --needed. Batches that cannot be read are passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.results.files import read_object, words
from launcher.results.find import list_batches
from launcher.results.plan_file import read_plan
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


def finished_runs(home: Path, *, contents: Collection[str] | None = None) -> tuple[tuple[str, str, str], ...]:
    """Return (content, batch, run) of every run that succeeded, newest batch first, each content once.

    Args:
        home: the .launcher folder.
        contents: the only ones that matter; the states of other runs are not read then.
    """
    wanted = None if contents is None else frozenset(contents)
    found: dict[str, tuple[str, str, str]] = {}
    for batch in list_batches(home):
        for content, run in _planned(batch):
            is_new = content not in found and (wanted is None or content in wanted)
            if is_new and _has_succeeded(batch, run):
                found[content] = (content, batch.name, run)
    return tuple(found.values())


def _planned(batch: Path) -> Iterator[tuple[str, str]]:
    try:
        runs = read_plan(batch)["runs"]
    except UsageError:
        return
    for run in runs:
        known = run if isinstance(run, dict) else {}
        content, name = words(known.get("content")), words(known.get("id"))
        if content and name:
            yield content, name


def _has_succeeded(batch: Path, run: str) -> bool:
    state = read_object(f"{batch}/{names.RUNS}/{run}/{names.STATE}") or {}
    return state.get("state") == names.SUCCEEDED
