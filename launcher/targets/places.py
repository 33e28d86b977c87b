"""Where a batch runs, and the way there. The one place that knows all kinds of places."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.nodes.local import LocalNode
from launcher.results.files import read_object, words
from launcher.results.place import read_place
from launcher.results.plan_file import read_plan
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.nodes.node import Node

EC2 = "ec2"


def is_elsewhere(batch: Path) -> bool:
    """Tell whether a batch runs on another computer than this one, which is still there."""
    on = _on(batch)
    return has_machine(batch) if on == EC2 else on != "local"


def has_machine(batch: Path) -> bool:
    """Tell whether a batch has a rented machine, as far as is known here."""
    place = read_place(batch)
    return place is not None and place.current is not None


def may_have_machine(batch: Path) -> bool:
    """Tell whether a machine was, or may have been, bought for a batch; also in a launch that was cut off."""
    from launcher.aws.intent import intent_of  # noqa: PLC0415 - who only reads a batch need not pay for it

    return has_machine(batch) or intent_of(batch.parent.parent, batch.name).record.attempt is not None


def is_rented(batch: Path) -> bool:
    """Tell whether a batch runs, or ran, on rented machines."""
    return _on(batch) == EC2


@contextmanager
def node_of(batch: Path) -> Iterator[Node]:
    """Give the node that a batch runs on; on leaving, the way there is closed.

    Args:
        batch: its folder at home.

    Raises:
        NodeError: it cannot be reached.
        UsageError: it is nowhere.
    """
    on = _on(batch)
    if on == "local":
        yield LocalNode(batch.parent.parent)
    elif on.startswith("ssh:"):
        from launcher.targets.ssh import open_ssh_node  # noqa: PLC0415 - paramiko, which others need not pay

        place = read_object(f"{batch}/{names.PLACE}") or {}
        with open_ssh_node(on, home=words(place.get("home")), python=words(place.get("python"))) as node:
            yield node
    elif on == EC2 and has_machine(batch):
        from launcher.targets.ec2_open import open_known  # noqa: PLC0415

        with open_known(batch) as (_, node):
            yield node
    elif on == EC2:
        yield LocalNode(batch.parent.parent)  # its machine is gone, and its files are at home
    else:
        raise UsageError(f"{batch.name} runs on {on}, to which there is no way.", "Look: launcher status")


def _on(batch: Path) -> str:
    place = read_object(f"{batch}/{names.PLACE}") or read_plan(batch)
    return words(place.get("on")) or "local"
