"""This computer as a target: there is one node, it is always here, and nothing is ever paid or released."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.nodes.local import LocalNode
from launcher.plan.values import Fleet
from launcher.runner.slots import find_gpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.nodes.node import Node
    from launcher.plan.values import MachineNeeds, Offer


class LocalTarget:
    """This computer.

    Args:
        home: the folder `.launcher` of the project.
    """

    name = "local"
    stack = None

    def __init__(self, home: Path) -> None:
        self._home = home

    def fleet(self, needs: MachineNeeds) -> Fleet:  # noqa: ARG002 - this computer is what it is
        """Return the GPUs of this computer and what its interpreter has installed."""
        return Fleet(gpus=len(find_gpus(os.environ)), interpreter_hash=hash_interpreter())

    @contextmanager
    def acquire(self, batch: Path, *, offers: Sequence[Offer]) -> Iterator[Node]:  # noqa: ARG002 - any batch
        """Give this computer."""
        yield LocalNode(self._home)

    def check(self, node: Node, batch: Path) -> None:
        """Find everything in order: what this computer lacks was said by the plan."""


def hash_interpreter() -> str:
    """Return a hash that changes with the Python version and with any installed distribution."""
    found = {
        path.name for folder in sys.path if Path(folder).is_dir() for path in Path(folder).glob("*.dist-info")
    }
    return hashlib.sha256("\n".join([sys.version, sys.platform, *sorted(found)]).encode()).hexdigest()
