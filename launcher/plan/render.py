"""Write a plan as the text of plan.json: ASCII, a run a line, the same bytes for the same plan. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launcher.plan.values import job_content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.plan.values import Plan, PlannedRun, SkippedRun

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def render_json(plan: Plan, *, head: Mapping[str, Any] | None = None) -> str:
    """Return plan.json.

    Args:
        head: what only the writer knows, such as id and time; it stands first.
    """
    first = _encode({**(head or {}), **plan.header()})
    jobs = ",\n".join(_encode(job_content(job)) for job in plan.jobs)
    runs = ",\n".join(map(_run_line, plan.runs))
    skipped = ",\n".join(map(_skipped_line, plan.skipped))
    return f'{first[:-1]},\n"jobs":[\n{jobs}\n],\n"runs":[\n{runs}\n],\n"skipped":[\n{skipped}\n]}}\n'


def _run_line(run: PlannedRun) -> str:
    # One encoder call for the texts: a dictionary and an encoder a run would take most of the time of a large plan.
    return (
        f'{{"id":{_encode(run.id)},"job":{run.job},"variant":{run.variant},"repeat":{run.repeat},'
        f'"seed":{_number(run.seed)},"fold":{_number(run.fold)},"argv":{_encode(run.argv)},"content":"{run.content}"}}'
    )


def _skipped_line(run: SkippedRun) -> str:
    return _encode({"id": run.id, "content": run.content, "batch": run.batch, "run": run.run})


def _number(number: int | None) -> str:
    return "null" if number is None else str(number)
