"""A job as the rest of launcher sees it: plain frozen values, all paths absolute, all units in the names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

TYPES = ("p3.2xlarge", "g6.xlarge", "g5.xlarge", "g4dn.xlarge")
REGIONS = ("us-west-2",)
MOST_RUNS = 100_000


@dataclass(frozen=True, slots=True)
class Needs:
    """What a run needs: GPUs, where a fraction is a share of one."""

    gpus: float = 1


@dataclass(frozen=True, slots=True)
class Machine:
    """On what a batch may run when a machine is rented, in order of preference."""

    types: tuple[str, ...] = TYPES
    spot: bool = False
    regions: tuple[str, ...] = REGIONS


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run, and the batch, may take at most; None is no limit."""

    run_s: float | None = None
    stall_s: float | None = None
    retries: int = 0
    batch_s: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class StopWhen:
    """When a fit ends early: its metric has not got better by `min_delta` for `patience` epochs."""

    metric: str
    patience: int
    min_delta: float = 0.0
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job file.

    Attributes:
        source: the YAML file.
        folder: what is copied and where runs start.
        run: shell text, or an argv.
        grid: values by parameter; their product makes the variants.
        seed: of repeat 0; None leaves the script's randomness alone.
        environment: a requirements file; None is the target's own.
        warm: whether runs may start from a process that has done the script's imports.
        backend: of Keras; None leaves it to the script and its environment.
        fast: whether fit on arrays may visit shuffled samples in an order of ours.
        checkpoint_s: the time between checkpoints; None makes none.
        places: where fields were set that are found to be wrong only later.
    """

    name: str
    source: Path
    folder: Path
    run: str | tuple[str, ...]
    params: Mapping[str, Value] = field(default_factory=dict)
    grid: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    repeats: int = 1
    folds: int | None = None
    seed: int | None = 0
    metric: str | None = None
    mode: str | None = None
    needs: Needs = Needs()
    machine: Machine = Machine()
    limits: Limits = Limits()
    environment: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    stop_on_nan: bool = False
    warm: bool = True
    backend: str | None = None
    stop_when: StopWhen | None = None
    fast: bool = False
    checkpoint_s: float | None = None
    places: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def place_of(self, key: str) -> str:
        """Return where a field was set: `file:line`, or the flag."""
        return self.places.get(key, self.source.name)
