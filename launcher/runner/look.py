"""Tell whether the runner of a batch lives and what it still has to hear, to somebody far away."""

from __future__ import annotations

from typing import Any

from launcher.runner import names
from launcher.runner.batch import utc_now
from launcher.runner.lock import is_held
from launcher.runner.requests import pending_requests


def look(batch: str) -> dict[str, Any]:
    """Return what only this computer can know of a batch, and the time by its clock."""
    return {
        "at": utc_now(),
        "is_alive": is_held(f"{batch}/{names.RUNNER_LOCK}"),
        "requests": sum(1 for _ in pending_requests(batch)),
    }
