"""Read plan.json of a batch: here alone schema versions are known. Older ones are read for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.results.files import parse_object, read_bytes, whole
from launcher.results.records import JobRecord
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path


def read_plan(folder: Path) -> dict[str, Any]:
    """Read the plan of a batch.

    Raises:
        UsageError: there is none, it is damaged, or a newer launcher wrote it.
    """
    data = read_bytes(f"{folder}/{names.PLAN}")  # Path arithmetic is slow, and everything starts here
    if data is None:
        raise UsageError(
            f"{folder} is no batch: it has no {names.PLAN}.", "launcher status shows the newest batch."
        )
    plan = parse_object(data)
    if plan is None:
        raise damaged(folder, "it is not JSON")
    _refuse_newer(plan, folder)
    if not isinstance(plan.get("jobs"), list) or not isinstance(plan.get("runs"), list):
        raise damaged(folder, "it has no jobs or no runs")
    return plan


def read_jobs(plan: dict[str, Any], folder: Path) -> tuple[JobRecord, ...]:
    """Return the jobs of a plan."""
    try:
        return tuple(_read_job(job) for job in plan["jobs"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(folder, f"a job cannot be read ({type(error).__name__}: {error})") from error


def read_environments(folder: Path) -> tuple[str, ...]:
    """Return the environments that a batch's jobs need, by sha256, each once."""
    needed = (job.get("environment") or {} for job in read_plan(folder)["jobs"])
    return tuple(dict.fromkeys(each["sha256"] for each in needed if "sha256" in each))


def damaged(folder: Path, why: str) -> UsageError:
    """Return the error of a plan that cannot be used."""
    return UsageError(
        f"{folder.name}: {names.PLAN} is damaged: {why}.",
        f"Its runs are still in {folder / names.RUNS}; submit the jobs again for a sound batch.",
    )


def _refuse_newer(plan: dict[str, Any], folder: Path) -> None:
    schema = whole(plan.get("schema", names.SCHEMA))
    if schema is None:
        raise damaged(folder, "its schema is not a number")
    if schema > names.SCHEMA:
        writer = plan.get("launcher", "a newer version")
        raise UsageError(
            f"{folder.name} was made by launcher {writer} (schema {schema}); "
            f"this is {names.VERSION}, which reads up to schema {names.SCHEMA}.",
            "Read it with that launcher, or a newer one.",
        )


def _read_job(job: dict[str, Any]) -> JobRecord:
    return JobRecord(
        name=job["name"],
        metric=job.get("metric"),
        mode=job.get("mode"),
        variants=tuple(dict(variant) for variant in job["variants"]),
        repeats=job.get("repeats", 1),
        folds=job.get("folds"),
        after=tuple(job.get("after", ())),
    )
