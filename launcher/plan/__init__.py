"""Decide what a batch is: runs, order, seeds, commands. Pure: no files, no clock."""

from __future__ import annotations

from launcher.plan.make import make_plan
from launcher.plan.values import FinishedRun, Fleet, Plan, PlannedJob, PlannedRun

__all__ = ["FinishedRun", "Fleet", "Plan", "PlannedJob", "PlannedRun", "make_plan"]
