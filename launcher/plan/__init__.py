"""Decide, pure: from jobs and what is true of the world to a frozen list of runs."""

from launcher.plan.command import render_command
from launcher.plan.make import make_plan
from launcher.plan.render import render_json
from launcher.plan.values import (
    FinishedRun,
    Fleet,
    MachineNeeds,
    Offer,
    Plan,
    PlannedJob,
    PlannedRun,
    Refusal,
    SkippedRun,
)

__all__ = [
    "FinishedRun",
    "Fleet",
    "MachineNeeds",
    "Offer",
    "Plan",
    "PlannedJob",
    "PlannedRun",
    "Refusal",
    "SkippedRun",
    "make_plan",
    "render_command",
    "render_json",
]
