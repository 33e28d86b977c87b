"""Read what the tutorials printed, and what the job files call full size. Reads no batch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.plan.variants import expand_grid
from launcher.spec import load_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAST, BEST_EPOCH, BEST_EPOCH_SMOOTHED = "last", "best epoch", "best epoch, smoothed"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table to be.

    Attributes:
        params: all parameters of the variant, as the job file has them: smaller runs are another thing.
        named: those by which the table names it.
        spread: the tutorial's own, over folds.
    """

    job: str
    named: Mapping[str, Any]
    params: Mapping[str, Any]
    what: str
    metric: str
    take: str
    published: float | None
    spread: float | None


def read_figures(jobs: Path) -> tuple[Figure, ...]:
    """Read published.toml beside the job files."""
    entries = tomllib.loads((jobs / "published.toml").read_text(encoding="utf-8"))["figure"]
    return tuple(_make_figure(jobs, entry) for entry in entries)


def _make_figure(jobs: Path, entry: Mapping[str, Any]) -> Figure:
    (job,) = load_jobs([jobs / f"{entry['job']}.yaml"], overrides=["after=[]"])
    named = entry["variant"]
    (params,) = (each for each in expand_grid(job) if named.items() <= each.items())
    return Figure(
        job=job.name,
        named=named,
        params=params,
        what=entry["what"],
        metric=entry["metric"],
        take=entry.get("take", LAST),
        published=entry.get("published"),
        spread=entry.get("spread"),
    )
