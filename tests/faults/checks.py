"""What holds after every fault: money, results, truth. Each check yields what is wrong, in words."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from launcher.results.left import find_missing, read_left
from tests.faults.night import RUNS, expected_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.faults.night import Night

_TAGS = {"app", "launcher:owner", "launcher:batch", "launcher:expires", "launcher:version"}


def money(night: Night) -> Iterator[str]:
    """What holds at every moment: nothing without a name and an end, never two machines for a batch."""
    alive = night.fake.alive()
    if len(alive) > 1:
        yield f"{len(alive)} machines are alive at once"
    for each in alive:
        tags = _tags(each.get_tags())
        if missing := _TAGS - set(tags):
            yield f"{each.id} lacks {sorted(missing)}"
        elif time.time() > datetime.fromisoformat(tags["launcher:expires"]).timestamp():
            yield f"{each.id} is past its deadline"
    for volume in night.fake.volumes().values():
        if missing := _TAGS - set(_tags(volume.get_tags())):
            yield f"{volume.id} lacks {sorted(missing)}"


def clean(night: Night) -> Iterator[str]:
    """What holds in the end: nothing is left that costs anything."""
    yield from (f"{each.id} is still {each._state.name}" for each in night.fake.alive())
    yield from (f"{volume} is still there" for volume in night.fake.volumes())


def home(night: Night) -> Iterator[str]:
    """What holds in the end: every run has succeeded, its files are at home, and status says so."""
    batch = night.batch
    if batch is None:
        return
    status = night.read("status", batch.name)
    said = [run["state"] for run in status["runs"]]
    if (status["state"], said) != ("succeeded", ["succeeded"] * RUNS):
        yield f"status says {status['state']}: {said}"
    if status["machine"]:
        yield f"status says that it has the machine {status['machine']}"
    yield from finished(batch)
    yield from (wrong for run in status["runs"] for wrong in _wrong_output(batch, run))


def finished(batch: Path) -> Iterator[str]:
    """What ended runs left, and is not at home byte for byte."""
    for run, files in read_left(batch).items():
        yield from (f"{each.path}: {each.reason}" for each in find_missing(batch, run, files))


def _wrong_output(batch: Path, run: dict[str, Any]) -> Iterator[str]:
    output = batch / "runs" / run["id"] / "outputs" / "out.bin"
    if not output.exists() or output.read_bytes() != expected_output(f"--a={run['params']['a']}"):
        yield f"{run['id']}: out.bin is not what it wrote"


def _tags(tags: Iterable[dict[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in tags}
