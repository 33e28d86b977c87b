"""Requests: how others ask a batch for something, since only the runner writes states.

A request is a small file that is removed once it has been carried out. Each can be carried out twice
without harm, so a crash in between costs nothing.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.disk import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def write_request(batch: str, action: str, *, runs: Sequence[str] = (), failed: bool = False) -> None:
    """Leave a request for the runner of a batch.

    Args:
        action: `cancel` or `resume`.
        runs: the ids of the runs meant; none means all of the batch.
        failed: resume failed runs as well.
    """
    folder = os.path.join(batch, names.REQUESTS)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{time.time_ns():020d}-{os.getpid()}")
    with open(path + ".new", "w") as file:
        json.dump({"action": action, "runs": list(runs), "failed": failed}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path + ".json")


def pending_requests(batch: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and content of each request, the oldest first."""
    folder = os.path.join(batch, names.REQUESTS)
    try:
        found = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return
    for name in found:
        path = os.path.join(folder, name)
        request = read_json(path)
        yield path, request if _is_request(request) else {}


def _is_request(value: Any) -> bool:
    runs = value.get("runs") if isinstance(value, dict) else None
    return isinstance(runs, list) and all(isinstance(run, str) for run in runs)
