"""Machines of EC2 as a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.targets.ec2_fleet import find_fleet

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.plan.values import Fleet, MachineNeeds, Plan
    from launcher.targets.ec2_fleet import Market


class Ec2Target:
    """Machines that are rented for a batch."""

    name = "ec2"

    def __init__(self, market: Market) -> None:
        self._market = market

    def fleet(self, needs: MachineNeeds) -> Fleet:
        """Return what could be rented; buys nothing, and works offline from a table."""
        return find_fleet(needs, self._market)

    def acquire(self, plan: Plan, *, batch: Path) -> AbstractContextManager[Node]:  # noqa: ARG002 - so far
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError("--on ec2 does not work yet.", "Use --on local; launcher plan --on ec2 works.")
