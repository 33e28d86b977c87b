"""Write a plan as the text of plan.json: ASCII, a run a line, the same bytes for the same plan. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from launcher.plan.values import job_content, run_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launcher.plan.values import Plan

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def render_json(plan: Plan, *, head: Mapping[str, Any] | None = None) -> str:
    """Return plan.json.

    Args:
        head: what only the writer knows, such as id and time; it stands first.
    """
    first = _encode({**(head or {}), **plan.header()}).removesuffix("}")
    jobs = _lines(job_content(job) for job in plan.jobs)
    runs = _lines(run_content(run) for run in plan.runs)
    skipped = _lines(asdict(run) for run in plan.skipped)
    return f'{first},\n"jobs":{jobs},\n"runs":{runs},\n"skipped":{skipped}}}\n'


def _lines(contents: Iterable[dict[str, Any]]) -> str:
    return "[" + ",".join(f"\n{_encode(content)}" for content in contents) + "]"
