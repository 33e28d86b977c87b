"""What a batch asks of its machine, and the most that it can cost there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.plan.values import MachineNeeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.spec import JobSpec

DEFAULT_BATCH_S = 12 * 3600.0
GRACE_S = 15 * 60.0  # from the end of the limit to the deadline: time to bring results home
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How long a machine may live, and what that costs.

    Attributes:
        batch_s: how long runs may go on.
        life_s: how long the machine may live, from its launch.
        usd: what that life costs, beside what was spent before.
    """

    batch_s: float
    life_s: float
    usd: float


def needs_of(specs: Sequence[JobSpec], *, cpu: bool = False) -> MachineNeeds:
    """Return what all jobs of a batch together ask of a machine.

    Args:
        specs: jobs that go together, as `load_jobs` returns them.
        cpu: whether they shall run without a GPU.
    """
    first = specs[0].machine
    common = set(first.types).intersection(*(spec.machine.types for spec in specs))
    return MachineNeeds(
        types=tuple(kind for kind in first.types if kind in common),
        regions=first.regions,
        spot=first.spot,
        gpus=0 if cpu else max(spec.needs.gpus for spec in specs),
        batch_s=_smallest([spec.limits.batch_s for spec in specs]),
        usd=_smallest([spec.limits.usd for spec in specs]),
    )


def ceiling(
    *, usd_per_hour: float, batch_s: float | None, usd: float | None, spent_usd: float = 0.0
) -> Ceiling:
    """Return how long a machine at this price may live, and what it will have cost then.

    Args:
        usd_per_hour: all that it costs: machine, disk and address.
        batch_s: the batch's limit of time, of which a new machine gets all.
        usd: the batch's limit of money, of which a new machine gets what is left.
        spent_usd: what earlier machines of the batch have cost.

    Raises:
        UsageError: the money buys no minute of work.
    """
    limits = [DEFAULT_BATCH_S] if batch_s is None and usd is None else []
    limits += [batch_s] if batch_s is not None else []
    if usd is not None:
        limits.append(_seconds_for(usd - spent_usd, usd=usd, usd_per_hour=usd_per_hour, spent_usd=spent_usd))
    granted_s = min(limits)
    life_s = granted_s + GRACE_S
    return Ceiling(granted_s, life_s, life_s / _HOUR_S * usd_per_hour)


def _seconds_for(left_usd: float, *, usd: float, usd_per_hour: float, spent_usd: float) -> float:
    bought_s = left_usd / usd_per_hour * _HOUR_S - GRACE_S
    if bought_s < 60:  # noqa: PLR2004 - a minute
        spent = f", of which ${spent_usd:.2f} are spent" if spent_usd else ""
        raise UsageError(
            f"limits.usd is ${usd:.2f}{spent}: at ${usd_per_hour:.2f} an hour that leaves no minute "
            "beside the 15 in which results come home.",
            "Raise limits.usd, or list a cheaper type first in machine.types.",
        )
    return bought_s


def _smallest(given: Sequence[float | None]) -> float | None:
    return min((limit for limit in given if limit is not None), default=None)
