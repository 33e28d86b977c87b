"""`python -m tests.faults [WORD…]`: play the cells whose names have all the words; print the table.

So many at a time as FAULT_JOBS says, by default as many as there are processors: a night mostly waits.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from tests.faults.alone import play_alone
from tests.faults.matrix import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.matrix import Cell


def main(words: Sequence[str]) -> int:
    """Play; returns how many cells went wrong."""
    wanted = [cell for cell in cells() if all(word in cell.name for word in words)]
    possible = [cell for cell in wanted if not cell.impossible]
    failed = 0
    at_a_time = int(os.environ.get("FAULT_JOBS") or os.cpu_count() or 1)
    with ProcessPoolExecutor(at_a_time, multiprocessing.get_context("spawn")) as pool:
        for cell, played in zip(possible, pool.map(play_alone, possible), strict=True):
            failed += bool(played.wrong)
            outcome = "; ".join(played.wrong) or "ok"
            print(f"{played.said}{cell.name:60} {played.seconds:5.0f} s  {outcome}", flush=True)
    print(f"{len(possible)} cells, {failed} went wrong")
    _tell_impossible(wanted)
    return failed


def _tell_impossible(wanted: Sequence[Cell]) -> None:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in wanted:
        if cell.impossible:
            found[cell.fault.name, cell.impossible].append(cell.phase.name)
    for (fault, why), phases in found.items():
        print(f"{fault}: impossible in {len(phases)} phases, {why} ({', '.join(phases)})")


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
