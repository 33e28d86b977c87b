"""Write a plan down as a batch folder: whole or not at all, and never changed again."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.plan import render_json
from launcher.runner import names
from launcher.snapshot import copy_tree, write_listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from random import Random

    from launcher.draft import Draft

STAGING = ".staging"
_FIRST = [
    "amber",
    "brave",
    "brisk",
    "calm",
    "clear",
    "clever",
    "cool",
    "coral",
    "crisp",
    "deep",
    "early",
    "fair",
    "fleet",
    "fond",
    "free",
    "fresh",
    "gentle",
    "glad",
    "golden",
    "grand",
    "green",
    "happy",
    "honest",
    "keen",
    "kind",
    "late",
    "light",
    "lively",
    "lucky",
    "mellow",
    "merry",
    "mild",
    "neat",
    "noble",
    "pale",
    "plain",
    "proud",
    "quick",
    "quiet",
    "rapid",
    "rare",
    "ready",
    "royal",
    "sharp",
    "shy",
    "silent",
    "silver",
    "simple",
    "sleek",
    "slow",
    "smart",
    "smooth",
    "snowy",
    "soft",
    "solid",
    "steady",
    "still",
    "sunny",
    "sweet",
    "swift",
    "tidy",
    "warm",
    "wise",
]
_SECOND = [
    "badger",
    "bear",
    "beaver",
    "bee",
    "bison",
    "boar",
    "bobcat",
    "crane",
    "crow",
    "deer",
    "dingo",
    "dove",
    "duck",
    "eagle",
    "egret",
    "elk",
    "falcon",
    "ferret",
    "finch",
    "fox",
    "gecko",
    "goose",
    "hare",
    "hawk",
    "heron",
    "horse",
    "ibex",
    "jay",
    "kite",
    "koala",
    "lark",
    "lion",
    "llama",
    "lynx",
    "magpie",
    "marten",
    "mole",
    "moose",
    "newt",
    "ocelot",
    "orca",
    "otter",
    "owl",
    "panda",
    "pike",
    "plover",
    "puffin",
    "quail",
    "raven",
    "robin",
    "seal",
    "shrew",
    "sloth",
    "stoat",
    "stork",
    "swan",
    "tapir",
    "tern",
    "tiger",
    "toad",
    "trout",
    "vole",
    "walrus",
    "wolf",
    "wren",
    "yak",
]


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
    staging = Path(tempfile.mkdtemp(dir=home / STAGING))
    try:
        _write_code(draft, staging)
        return _publish(draft, staging, home / names.BATCHES, now=now, random=random, more=more)
    finally:
        remove_read_only(staging)


def remove_read_only(folder: Path) -> None:
    """Remove a folder that holds read-only snapshots, where it exists."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


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
    for batch_id in _ids(now, random):
        _write_durably(
            staging / names.PLAN, draft.plan.render({"id": batch_id, "created_at": created_at, **more})
        )
        try:
            staging.rename(batches / batch_id)
        except OSError:
            if not (batches / batch_id).exists():
                raise
            continue  # two submits in one minute drew the same words
        _sync_folder(batches)
        return batches / batch_id
    raise AssertionError  # pragma: no cover - the ids never end


def _ids(now: datetime, random: Random) -> Iterator[str]:
    while True:
        yield f"{now:%Y%m%d-%H%M}-{random.choice(_FIRST)}-{random.choice(_SECOND)}"


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
