"""Write a plan down as a batch folder: whole or not at all, and never changed again."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.batch_id import batch_ids
from launcher.plan import render_json
from launcher.runner import names
from launcher.runner.folders import remove_tree
from launcher.runner.lock import Lock
from launcher.snapshot import copy_tree, write_listing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from random import Random

    from launcher.draft import Draft

STAGING = ".staging"


def freeze(draft: Draft, *, home: Path, now: datetime, random: Random, **more: Any) -> Path:
    """Write the batch of a draft.

    Args:
        draft: the plan, and the trees that its jobs were read from.
        home: the folder `.launcher`.
        now: the time, UTC; it begins the batch's id.
        random: chooses the two words of the id.
        more: further entries of plan.json.

    Returns:
        the batch folder.

    Raises:
        UsageError: a file was changed while it was copied.
    """
    (home / names.BATCHES).mkdir(parents=True, exist_ok=True)
    (home / STAGING).mkdir(exist_ok=True)
    staging, lock = _make_staging(home)
    with lock:
        try:
            _write_code(draft, staging)
            return _publish(draft, staging, home / names.BATCHES, now=now, random=random, more=more)
        finally:
            remove_tree(str(staging))


def take_away(batch: Path) -> None:
    """Remove a batch. It is no batch any more at once, however long its files take."""
    staging = batch.parent.parent / STAGING
    staging.mkdir(exist_ok=True)
    remove_tree(str(batch.rename(staging / batch.name)))


def remove_staging(home: Path) -> None:
    """Remove what submits that were killed had begun to write; those that are at work keep theirs."""
    for folder in (home / STAGING).glob("*"):
        with Lock(str(folder / names.RUNNER_LOCK)) as lock:
            if lock.try_to_take():
                remove_tree(str(folder))


def _make_staging(home: Path) -> tuple[Path, Lock]:
    """Make a folder and take its lock, which tells it from a leftover."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=home / STAGING))
        lock = Lock(str(folder / names.RUNNER_LOCK))
        with suppress(FileNotFoundError):
            if lock.try_to_take() and folder.exists():
                return folder, lock
        lock.release()  # it was taken for a leftover before it had its lock


def _write_code(draft: Draft, staging: Path) -> None:
    (staging / names.CODE).mkdir()
    for spec in draft.specs:
        tree = draft.trees[spec.name]
        copy_tree(tree, spec.folder, staging / names.CODE / spec.name)
        write_listing(tree, staging / names.CODE / f"{spec.name}.jsonl")
    for sha256, content in draft.requirements.items():
        (staging / names.ENVIRONMENTS).mkdir(exist_ok=True)
        (staging / names.ENVIRONMENTS / f"{sha256}.txt").write_bytes(content)


def _publish(
    draft: Draft, staging: Path, batches: Path, *, now: datetime, random: Random, more: Mapping[str, Any]
) -> Path:
    created_at = now.isoformat(timespec="microseconds")
    for batch_id in batch_ids(now, random):
        about = {"id": batch_id, "created_at": created_at, **more}
        _write_durably(staging / names.PLAN, render_json(draft.plan, head=about))
        try:
            staging.rename(batches / batch_id)
        except OSError:
            if not (batches / batch_id).exists():
                raise
            continue  # two submits in one minute drew the same words
        _sync_folder(batches)
        return batches / batch_id
    raise AssertionError  # pragma: no cover - the ids never end


def _write_durably(path: Path, content: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover - folders can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
