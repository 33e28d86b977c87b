"""Carry out a plan: freeze it, get a node, bring the batch there, start its runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.freeze import freeze, take_away
from launcher.runner import names
from launcher.steer import HOME_ONLY, install_environment, leave_start, start_runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from random import Random

    from launcher.draft import Draft
    from launcher.nodes.node import Node
    from launcher.targets.target import Target


def submit(
    draft: Draft,
    *,
    home: Path,
    target: Target,
    now: datetime,
    random: Random,
    tell: Callable[[str], None],
) -> Path:
    """Submit a batch and return once its runner was started.

    What goes wrong before that, a broken environment for example, leaves no batch.

    Args:
        draft: what to carry out.
        home: the folder `.launcher` of the project.
        tell: takes lines about what happens.

    Returns:
        the batch folder at home.
    """
    batch = freeze(draft, home=home, now=now, random=random)
    is_there = False
    try:
        with target.acquire(draft.plan, batch=batch) as node:
            _bring(batch, draft, node=node, tell=tell)
            is_there = True
            start_runner(node, batch.name)
    except BaseException:
        if not is_there:  # else its runner may have been started, whatever was heard of it
            take_away(batch)
        raise
    return batch


def _bring(batch: Path, draft: Draft, *, node: Node, tell: Callable[[str], None]) -> None:
    node.send(batch, to=node.home / names.BATCHES / batch.name, exclude=HOME_ONLY)
    if (batch / names.PLACE).exists():
        leave_start(node, batch.name)
    for sha256 in draft.requirements:
        tell(f"environment {sha256[:8]}: installing it, where it is not there yet")
        install_environment(node, batch.name, sha256=sha256)
