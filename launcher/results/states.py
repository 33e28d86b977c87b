"""Read what state.json of many runs says, or the journal where that is lost; not whether it is still so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from launcher.results.files import parse_object, read_bytes
from launcher.results.journal import read_journal
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT_BYTES = 1 << 20
DAMAGED = {"state": names.INTERRUPTED, "reason": f"its {names.STATE} is damaged"}
_STATES = frozenset(names.STATES)


def read_states(batch: str, runs: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the state of every run, by id, that has one; the others have not started.

    Args:
        batch: the batch folder.
        runs: ids of runs.
    """
    present = _list_folders(f"{batch}/{names.RUNS}")
    states: dict[str, Mapping[str, Any]] = {}
    lost = []
    for run in runs:
        if run not in present:
            continue
        data = read_bytes(f"{batch}/{names.RUNS}/{run}/{names.STATE}", limit_bytes=LIMIT_BYTES)
        state = None if data is None else parse_object(data)
        if state is not None and _is_state(state):
            states[run] = state
        else:
            lost.append((run, data is not None))
    if lost:
        states.update(_recover(batch, lost))
    return states


def _list_folders(root: str) -> set[str]:
    try:
        with os.scandir(root) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def _is_state(state: Mapping[str, Any]) -> bool:
    word = state.get("state")
    return type(word) is str and word in _STATES


def _recover(batch: str, lost: Sequence[tuple[str, bool]]) -> dict[str, Mapping[str, Any]]:
    journal = read_journal(batch)
    found = {run: journal.get(run, DAMAGED if is_damaged else None) for run, is_damaged in lost}
    return {run: state for run, state in found.items() if state is not None}
