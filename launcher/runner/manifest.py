"""The manifest: path, size and sha256 of everything that finished runs left. Written when a queue is done."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from launcher.runner import names

if TYPE_CHECKING:
    from launcher.runner.batch import Batch
    from launcher.runner.states import States


def write_manifest(batch: Batch, states: States) -> None:
    """Write manifest.json a line a file, from the journal; what the journal missed is hashed now."""
    known = _from_journal(batch)
    path = batch.path(names.MANIFEST)
    with open(path + ".new", "w") as file:
        file.write('{"schema": 1, "files": [')
        separator = "\n"
        for run in states.runs_in(*names.ENDED):
            run_id = batch.runs[run]["id"]
            for name, (size, digest) in (known.get(run_id) or states.hash_results(run)).items():
                row = {"path": f"{names.RUNS}/{run_id}/{name}", "size": size, "sha256": digest}
                file.write(separator + json.dumps(row))
                separator = ",\n"
        file.write("\n]}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def _from_journal(batch: Batch) -> dict[str, dict[str, tuple[int, str]]]:
    found: dict[str, dict[str, tuple[int, str]]] = {}
    with open(batch.path(names.EVENTS), "rb") as journal:
        for line in journal:
            _take(line, found)
    return found


def _take(line: bytes, found: dict[str, dict[str, tuple[int, str]]]) -> None:
    try:
        event = json.loads(line)
    except ValueError:  # torn by a crash
        return
    if event["event"] == "ended":
        found[event["run"]] = event["files"]
    elif event["event"] in ("started", "requeued"):
        found.pop(event["run"], None)
