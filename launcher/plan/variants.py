"""Turn jobs into variants and variants into runs, in the order in which they will run. Pure."""

from __future__ import annotations

import heapq
from graphlib import TopologicalSorter
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.spec import JobSpec, Value


class Point(NamedTuple):
    """Where a run stands in its job."""

    repeat: int
    variant: int
    fold: int | None


def order_jobs(specs: Sequence[JobSpec]) -> list[JobSpec]:
    """Keep the order in which jobs were given, but put none before one that it is `after`.

    The jobs are those of a batch: every name in `after` is one of them, and there is no circle.
    """
    place = {spec.name: at for at, spec in enumerate(specs)}
    sorter = TopologicalSorter({spec.name: spec.after for spec in specs})
    sorter.prepare()
    ordered: list[JobSpec] = []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, place[name])
        ordered.append(specs[heapq.heappop(ready)])
        sorter.done(ordered[-1].name)
    return ordered


def expand_grid(spec: JobSpec) -> tuple[dict[str, Value], ...]:
    """Return the parameters of every variant, in the order of the file, the last key fastest."""
    return tuple(
        {**spec.params, **dict(zip(spec.grid, values, strict=True))}
        for values in product(*spec.grid.values())
    )


def points(spec: JobSpec, *, variants: int) -> Iterator[Point]:
    """Yield the runs of a job: all of a repeat before the next, so that half a night is still paired."""
    folds: tuple[int | None, ...] = (None,) if spec.folds is None else tuple(range(spec.folds))
    return (
        Point(repeat, variant, fold)
        for repeat in range(spec.repeats)
        for variant in range(variants)
        for fold in folds
    )


def seed_of(spec: JobSpec, *, repeat: int) -> int | None:
    """Return the seed of a repeat, the same for all its variants and folds."""
    return None if spec.seed is None else spec.seed + repeat
