"""Go on with a batch on another machine: what has ended stays, the rest is queued again there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launcher.plan.values import MachineNeeds
from launcher.results.plan_file import read_environments, read_plan
from launcher.results.states import read_states
from launcher.runner import names
from launcher.steer import bring, install_environment, leave_start, resume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from launcher.targets.target import Target

# Of a run that has ended, its state is all that a runner must know; the results are at home.
_RESULTS = (names.OUTPUTS, names.LOG, names.HISTORY, names.METRICS)


def go_on(
    batch: Path,
    target: Target,
    *,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None],
    failed: bool = False,
) -> None:
    """Get a node for what is left of a batch, and resume it there.

    Args:
        tell: takes lines about what happens.
        progress: takes how many bytes have travelled to the machine, and how many will.
        failed: run failed runs again as well.

    Raises:
        NoMachineError: none could be had; the batch stays as it is.
    """
    offers = target.fleet(needs_of(read_plan(batch))).offers
    with target.acquire(batch, offers=offers) as node:
        at_home = (names.RUNNER, names.RUNNER_LOCK, *_at_home(batch))
        bring(batch, node, tell=tell, progress=progress, exclude=at_home)
        for sha256 in read_environments(batch):
            install_environment(node, batch.name, sha256=sha256)
        target.check(node, batch)
        leave_start(node, batch.name)
        resume(node, batch.name, environments=read_environments(batch), failed=failed)


def needs_of(plan: dict[str, Any]) -> MachineNeeds:
    """Return what a frozen batch asks of a machine."""
    machine = plan.get("machine") or {}
    lists = {key: tuple(machine[key]) for key in ("types", "regions") if key in machine}
    return MachineNeeds(**{"types": (), "regions": (), **machine, **lists})


def _at_home(batch: Path) -> Iterator[str]:
    ids = [str(run["id"]) for run in read_plan(batch)["runs"]]
    for run, state in read_states(str(batch), ids).items():
        if state.get("state") in names.ENDED - names.RESUMABLE:
            yield from (f"{names.RUNS}/{run}/{name}" for name in _RESULTS)
