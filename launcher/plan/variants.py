"""Variants, their runs, and the ids that stay the same for the same input."""

from __future__ import annotations

import hashlib
import json
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from launcher.spec import JobSpec, Value

_ID_DIGITS = 8


class Point(NamedTuple):
    """Where a run stands in its job: which repeat, variant and fold."""

    repeat: int
    variant: int
    fold: int | None


def make_variants(spec: JobSpec) -> tuple[Mapping[str, Value], ...]:
    """Return the parameters of each variant: the product of the grid, its last key fastest."""
    combinations = product(*spec.grid.values())
    return tuple({**spec.params, **dict(zip(spec.grid, values, strict=True))} for values in combinations)


def points(spec: JobSpec, variants: int) -> Iterator[Point]:
    """Yield the runs of a job: by repeat, then variant, then fold, so that half a night is still paired."""
    folds: tuple[int | None, ...] = (None,) if spec.folds is None else tuple(range(spec.folds))
    for repeat in range(spec.repeats):
        for variant in range(variants):
            for fold in folds:
                yield Point(repeat, variant, fold)


def params_of(spec: JobSpec, variant: Mapping[str, Value], fold: int | None) -> dict[str, Value]:
    """Return the parameters of a run: its variant's, and its fold where the job has folds."""
    return dict(variant) if fold is None else {**variant, "fold": fold, "folds": spec.folds}


def hash_params(params: Mapping[str, Value]) -> str:
    """Return the first eight hex digits of the hash of a run's parameters, in whatever order they stand."""
    text = json.dumps(params, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def seed_of(spec: JobSpec, repeat: int) -> int | None:
    """Return the seed of a repeat, the same for all variants and folds."""
    return None if spec.seed is None else spec.seed + repeat
