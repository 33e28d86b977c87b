"""Jobs, trees and fleets for plans, with what a test does not care about filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from launcher.plan import Fleet, Plan, make_plan
from launcher.snapshot import Entry, LeftOut, Tree
from launcher.spec.job import JobSpec

CODE = Tree((Entry("train.py", "file", 0o644, 9, "ab" * 32),), (LeftOut("x.log", ".gitignore: *.log"),))


def job(name: str = "sonar", **fields: Any) -> JobSpec:
    fields = {"run": "python train.py", **fields}
    return JobSpec(name=name, source=Path(f"/jobs/{name}.yaml"), folder=Path("/jobs"), **fields)


def plan(*jobs: JobSpec, **given: Any) -> Plan:
    given = {"trees": {spec.name: CODE for spec in jobs}, "environments": {}, "fleet": Fleet(gpus=1), **given}
    return make_plan(jobs, **given)
