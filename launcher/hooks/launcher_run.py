"""What the hooks know of their run: its folder and run.json, read once the script has imported Keras."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from .launcher_guard import Guard


@dataclass(frozen=True)
class Run:
    """The run that this process belongs to. `attempt` counts from 1."""

    folder: str
    attempt: int = 1
    metric: str | None = None
    mode: str | None = None
    stop_on_nan: bool = False
    rehearse: bool = False
    fast: bool = False
    stop_when: dict[str, Any] | None = None
    checkpoint_s: float | None = None

    def path(self, name: str) -> str:
        """Return the path of a file of this run."""
        return os.path.join(self.folder, name)


def read_run(folder: str) -> Run:
    """Read run.json; without one, a first attempt with the default of everything."""
    path = os.path.join(folder, "run.json")
    with Guard("run.json cannot be read, so its defaults hold"), open(path, encoding="utf-8") as file:
        return _make_run(folder, json.load(file))
    return Run(folder)


def _make_run(folder: str, found: dict[str, Any]) -> Run:
    return Run(
        folder,
        attempt=int(found.get("attempt") or 1),
        metric=found.get("metric"),
        mode=found.get("mode"),
        stop_on_nan=bool(found.get("stop_on_nan")),
        rehearse=bool(found.get("rehearse")),
        fast=bool(found.get("fast")),
        stop_when=found.get("stop_when"),
        checkpoint_s=found.get("checkpoint_s"),
    )
