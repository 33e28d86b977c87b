"""The manifest: path, size and sha256 of everything that finished runs left. Written when a queue is done."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.disk import unlink

if TYPE_CHECKING:
    from launcher.runner.batch import Batch
    from launcher.runner.disk import Files
    from launcher.runner.states import States


def write_manifest(batch: Batch, states: States) -> None:
    """Write manifest.json a line a file, from the journal; what the journal missed is hashed now.

    On a full disk the old one stays.
    """
    path = batch.path(names.MANIFEST)
    try:
        _write(path + ".new", batch, states)
        os.replace(path + ".new", path)
    except OSError:
        unlink(path + ".new")


def _write(path: str, batch: Batch, states: States) -> None:
    known = _from_journal(batch)
    with open(path, "w") as file:
        file.write('{"schema": 1, "files": [')
        separator = "\n"
        for run in states.runs_in(*names.ENDED):
            run_id = batch.runs[run]["id"]
            attempt, files = known.get(run_id, (0, {}))
            if not files or attempt != states.attempt(run):
                files = states.hash_results(run)
            for name, (size, digest) in files.items():
                quoted = json.dumps(f"{names.RUNS}/{run_id}/{name}")  # the rest needs no encoding
                file.write(f'{separator}{{"path": {quoted}, "size": {size}, "sha256": "{digest}"}}')
                separator = ",\n"
        file.write("\n]}\n")
        file.flush()
        os.fsync(file.fileno())


def _from_journal(batch: Batch) -> dict[str, tuple[int, Files]]:
    found: dict[str, tuple[int, Files]] = {}
    for event in batch.read_journal():
        _take(event, found)
    return found


def _take(event: dict[str, Any], found: dict[str, tuple[int, Files]]) -> None:
    if event["event"] == "ended":
        found[event["run"]] = event["attempt"], event["files"]
    else:
        found.pop(event["run"], None)
