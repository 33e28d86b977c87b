"""What every source of nodes must be able to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.plan.values import Fleet, MachineNeeds, Offer


class Target(Protocol):
    """Where nodes come from."""

    @property
    def name(self) -> str:
        """The word after `--on`."""

    def fleet(self, needs: MachineNeeds) -> Fleet:
        """Return what exists now and could be had for these needs, as the plan must know it; buys nothing."""

    @property
    def stack(self) -> bytes | None:
        """What is installed for jobs that name no environment; None where the node's Python serves them."""

    def acquire(self, batch: Path, *, offers: Sequence[Offer]) -> AbstractContextManager[Node]:
        """Give a node for a batch; left by an error, what was bought for it is given back.

        Args:
            batch: the batch folder at home.
            offers: what may be rented, best first.
        """

    def check(self, node: Node, batch: Path) -> None:
        """Look whether runs would find on the node what they need, once their environments are installed.

        Raises:
            NodeError: they would not.
        """
