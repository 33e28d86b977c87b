"""Decide whether a job's runs start from a warm worker, and hold its script to its backend. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.spec.backend import VARIABLE

if TYPE_CHECKING:
    from launcher.plan.beginning import Beginning
    from launcher.spec import JobSpec


def plan_warm(spec: JobSpec, beginning: Beginning) -> dict[str, Any]:
    """Return what a warm worker does ahead, as plan.json has it, or the reason why there is none."""
    if not spec.warm:
        return {"reason": "warm: false"}
    if not beginning.imports:
        return {"reason": beginning.obstacle or "its script was not read"}
    return {
        "imports": [[module, list(names)] for module, names in beginning.imports],
        "variables": [list(each) for each in beginning.variables],
        "own": list(beginning.own),
    }


def check_backend(spec: JobSpec, beginning: Beginning) -> None:
    """Check that a script does not choose another backend than its job.

    Raises:
        UsageError: it does.
    """
    for name, value, is_default in beginning.variables:
        if name == VARIABLE and spec.backend not in (None, value) and not is_default:
            place = spec.place_of("backend")
            raise UsageError(
                f"{place}: backend is {spec.backend}, but the script sets {VARIABLE} to {value}.",
                f"Remove that line from the script, or write backend: {value}.",
            )
