"""Carry out a plan: freeze it, get a node, bring the batch there, start its runner."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from launcher.backends import check_backends
from launcher.freeze import freeze, take_away
from launcher.runner import names
from launcher.runner.lock import Lock
from launcher.steer import bring, forget, install_environment, leave_start, start_runner
from launcher.targets.places import is_elsewhere, may_have_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Path:
    """Submit a batch and return once its runner was started.

    What goes wrong before that, a broken environment for example, leaves no batch, unless a machine was
    bought for it that is not seen to be gone.

    Args:
        draft: what to carry out.
        home: the folder `.launcher` of the project.
        tell: takes lines about what happens.
        progress: takes how many bytes have travelled to the node, and how many will.

    Returns:
        the batch folder at home.
    """
    batch = freeze(draft, home=home, now=now, random=random)
    with _being_submitted(batch):
        _hand_over(draft, batch, target=target, tell=tell, progress=progress)
    return batch


@contextmanager
def _being_submitted(batch: Path) -> Iterator[None]:
    """Let others see that nobody else needs to start its runner; to install what it needs takes minutes."""
    path = batch / names.SUBMIT_LOCK
    with Lock(str(path)) as lock:
        with suppress(OSError):  # the submit itself will find out what is wrong with the disk
            lock.try_to_take()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _hand_over(
    draft: Draft,
    batch: Path,
    *,
    target: Target,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> None:
    is_there = False
    try:
        with target.acquire(batch, offers=draft.plan.offers) as node:
            with _all_or_nothing(batch, node):
                bring(batch, node, tell=tell, progress=progress)
                _prepare(draft, batch, node=node, tell=tell)
                target.check(node, batch)
                if is_elsewhere(batch):  # from here on a machine starts the runner by itself, too
                    leave_start(node, batch.name)
            is_there = True
            start_runner(node, batch.name)
    except BaseException:
        # Its runner may have been started, whatever was heard of it; a machine may still be there.
        if may_have_machine(batch):
            tell(f"{batch.name} stays here. Go on with it: launcher resume {batch.name}")
        elif not is_there:
            take_away(batch)
        raise


@contextmanager
def _all_or_nothing(batch: Path, node: Node) -> Iterator[None]:
    """Leave nothing on a computer of one's own of a batch that fails before it begins."""
    try:
        yield
    except BaseException:
        if is_elsewhere(batch) and not may_have_machine(batch):
            forget(node, batch.name)
        raise


def _prepare(draft: Draft, batch: Path, *, node: Node, tell: Callable[[str], None]) -> None:
    for sha256 in draft.requirements:
        tell(f"environment {sha256[:8]}: installing it, where it is not there yet")
        install_environment(node, batch.name, sha256=sha256)
    check_backends(draft.plan, node)
