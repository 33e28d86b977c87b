"""What every source of nodes must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.plan.values import Fleet, MachineNeeds, Plan


class Target(Protocol):
    """Where nodes come from."""

    @property
    def name(self) -> str:
        """The word after `--on`."""

    def fleet(self, needs: MachineNeeds) -> Fleet:
        """Return what exists now and could be had for these needs, as the plan must know it; buys nothing."""

    def acquire(self, plan: Plan, *, batch: Path) -> AbstractContextManager[Node]:
        """Give a node for a plan; on leaving it is released as the plan says.

        Args:
            batch: its folder at home; the target leaves there, in place.json, how the node is found again.
        """
