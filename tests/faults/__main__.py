"""`python -m tests.faults [WORD…]`: play the cells whose names have all the words; print the table.

So many at a time as FAULT_JOBS says, by default as many as there are processors: a night mostly waits.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING, NamedTuple

from tests.box.box import Box
from tests.fake_ec2 import FakeEc2
from tests.faults.matrix import cells
from tests.faults.play import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.matrix import Cell

_LAST_WORDS = 6000


class Played(NamedTuple):
    """What a cell came to."""

    seconds: float
    wrong: Sequence[str]
    said: str


def main(words: Sequence[str]) -> int:
    """Play; returns how many cells went wrong."""
    wanted = [cell for cell in cells() if all(word in cell.name for word in words)]
    possible = [cell for cell in wanted if not cell.impossible]
    failed = 0
    at_a_time = int(os.environ.get("FAULT_JOBS") or os.cpu_count() or 1)
    with ProcessPoolExecutor(at_a_time, multiprocessing.get_context("spawn")) as pool:
        for cell, played in zip(possible, pool.map(_play, possible), strict=True):
            failed += bool(played.wrong)
            outcome = "; ".join(played.wrong) or "ok"
            print(f"{played.said}{cell.name:60} {played.seconds:5.0f} s  {outcome}", flush=True)
    print(f"{len(possible)} cells, {failed} went wrong")
    _tell_impossible(wanted)
    return failed


def _play(cell: Cell) -> Played:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, FakeEc2() as fake, Box(Path(name)) as box:
        folder = Path(name)
        try:
            wrong = tuple(play(cell, fake=fake, box=box, folder=folder))
        except (RuntimeError, OSError, SubprocessError) as error:  # the box's own: the rest goes on
            wrong = (repr(error),)
        log = folder / "said.log"
        said = log.read_text(errors="replace")[-_LAST_WORDS:] if wrong and log.exists() else ""
    return Played(time.monotonic() - began, wrong, said)


def _tell_impossible(wanted: Sequence[Cell]) -> None:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in wanted:
        if cell.impossible:
            found[cell.fault.name, cell.impossible].append(cell.phase.name)
    for (fault, why), phases in found.items():
        print(f"{fault}: impossible in {len(phases)} phases, {why} ({', '.join(phases)})")


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
