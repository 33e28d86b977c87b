"""The values of planning: what a plan is told of the world, and what it decides. Plain and frozen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from launcher.runner.names import SCHEMA, VERSION

if TYPE_CHECKING:
    from launcher.spec import Value


@dataclass(frozen=True, slots=True)
class MachineNeeds:
    """What jobs ask of the machine on which all of them run.

    Attributes:
        types: what every job takes, in the first job's order.
        gpus: the most that any run needs; 0 where the CPU will do.
        batch_s: the longest that the batch may take; None is no limit.
        usd: the most that it may cost; None is no limit.
    """

    types: tuple[str, ...]
    regions: tuple[str, ...]
    spot: bool = False
    gpus: float = 1
    batch_s: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A machine that could be had, and why it stands where it stands among the candidates.

    Attributes:
        zone: empty where AWS was not asked.
        market: "on-demand" or "spot".
        source: where the price comes from.
        subnet: into which it would be launched.
        price_as_of: the day of the price, ISO.
        extra_usd_per_hour: what its disk and its address cost beside it.
    """

    type: str
    zone: str
    region: str
    market: str
    price_usd_per_hour: float
    source: str
    reason: str
    subnet: str = ""
    vpc: str = ""
    gpus: int = 0
    gpu_name: str = ""
    vcpus: int = 0
    price_as_of: str = ""
    extra_usd_per_hour: float = 0.0

    @property
    def usd_per_hour(self) -> float:
        """All that it costs an hour: machine, disk and address."""
        return self.price_usd_per_hour + self.extra_usd_per_hour


@dataclass(frozen=True, slots=True)
class Refusal:
    """A type that can't be had somewhere, and why; zone is empty where the whole region lacks it."""

    type: str
    region: str
    zone: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """What exists where a batch is to run.

    Attributes:
        machines: ids of machines that run already.
        gpus: how many a run can see there; None is not known yet.
        interpreter_hash: stands for the interpreter and its packages that serve jobs with no environment.
        offers: what could be rented, best first.
        refused: what was asked for and can't be had.
        notes: what the user should know of it, a line each.
    """

    machines: tuple[str, ...] = ()
    gpus: int | None = None
    interpreter_hash: str = ""
    offers: tuple[Offer, ...] = ()
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that succeeded before: its content, and where its results are."""

    content: str
    batch: str
    run: str


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job as it is frozen into a plan.

    Attributes:
        variants: parameters without the fold.
        warm: what a warm worker does ahead, or the `reason` why there is none.
    """

    name: str
    source: str
    run: str | tuple[str, ...]
    needs: dict[str, float]
    limits: dict[str, float | int | None]
    env: dict[str, str]
    environment: dict[str, str] | None
    after: tuple[str, ...]
    metric: str | None
    mode: str | None
    stop_on_nan: bool
    stop_when: dict[str, Any] | None
    fast: bool
    checkpoint_s: float | None
    seed: int | None
    repeats: int
    folds: int | None
    code: dict[str, Any]
    variants: tuple[dict[str, Value], ...]
    note: str | None
    warm: dict[str, Any]
    backend: str | None


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training process to come; `job` and `variant` are indexes."""

    id: str
    job: int
    variant: int
    repeat: int
    seed: int | None
    fold: int | None
    argv: tuple[str, ...]
    content: str


@dataclass(frozen=True, slots=True)
class SkippedRun:
    """A run that is not planned, because `run` of `batch` has its results."""

    id: str
    content: str
    batch: str
    run: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a submission will do.

    `warnings` are frozen with the rest, as notes. The fleet has prices, and `finished` counts runs that
    `--needed` would skip: both change from day to day, and stand outside what is frozen. `needs` are there
    where machines are rented.
    `--needed` would skip: both change from day to day, and stand outside what is frozen, as `advice` does,
    which comes from earlier runs.
    """

    on: str
    slots: int | None
    cpu: bool
    batch_s: float | None
    usd: float | None
    jobs: tuple[PlannedJob, ...]
    runs: tuple[PlannedRun, ...]
    skipped: tuple[SkippedRun, ...]
    warnings: tuple[str, ...]
    fleet: Fleet = Fleet()
    finished: int = 0
    needs: MachineNeeds | None = None
    packing: str = ""
    advice: tuple[str, ...] = ()

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What could be rented, best first."""
        return self.fleet.offers

    def params_of(self, run: PlannedRun) -> dict[str, Value]:
        """Return the parameters of a run, its fold among them."""
        job = self.jobs[run.job]
        return with_fold(job.variants[run.variant], fold=run.fold, folds=job.folds)

    def header(self) -> dict[str, Any]:
        """Return the content of plan.json that is the same for all runs."""
        return {
            "schema": SCHEMA,
            "launcher": VERSION,
            "on": self.on,
            "slots": self.slots,
            "cpu": self.cpu,
            "packing": self.packing,
            "limits": {"batch_s": self.batch_s, "usd": self.usd},
            "machine": needs_content(self.needs) if self.needs else None,
            "notes": list(self.warnings),
        }

    def frozen(self) -> dict[str, Any]:
        """Return the content of plan.json, without id and time: equal input gives equal content."""
        return {
            **self.header(),
            "jobs": [job_content(job) for job in self.jobs],
            "runs": [run_content(run) for run in self.runs],
            "skipped": [asdict(run) for run in self.skipped],
        }


def needs_content(needs: MachineNeeds) -> dict[str, Any]:
    """Return what is asked of a machine as plan.json has it."""
    return asdict(needs) | {"types": list(needs.types), "regions": list(needs.regions)}


def with_fold(params: dict[str, Value], *, fold: int | None, folds: int | None) -> dict[str, Value]:
    """Return parameters and, where the job has folds, `fold` and `folds`."""
    return params if folds is None else {**params, "fold": fold, "folds": folds}


def job_content(job: PlannedJob) -> dict[str, Any]:
    """Return a job as plan.json has it."""
    run = job.run if isinstance(job.run, str) else list(job.run)
    return asdict(job) | {"run": run, "after": list(job.after), "variants": list(job.variants)}


def run_content(run: PlannedRun) -> dict[str, Any]:
    """Return a run as plan.json has it."""
    # Spelled out: asdict takes seconds for a hundred thousand of them.
    return {
        "id": run.id,
        "job": run.job,
        "variant": run.variant,
        "repeat": run.repeat,
        "seed": run.seed,
        "fold": run.fold,
        "argv": list(run.argv),
        "content": run.content,
    }
