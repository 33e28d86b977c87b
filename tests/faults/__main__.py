"""`python -m tests.faults [WORD…]`: play the cells whose names have all the words; print the table."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from subprocess import SubprocessError

from tests.box.box import Box
from tests.fake_ec2 import FakeEc2
from tests.faults.matrix import cells
from tests.faults.play import play


def main(words: list[str]) -> int:
    """Play; returns how many cells went wrong."""
    failed = 0
    impossible: dict[tuple[str, str], list[str]] = defaultdict(list)
    with FakeEc2() as fake:
        for cell in cells():
            if not all(word in cell.name for word in words):
                continue
            if cell.impossible:
                impossible[cell.fault.name, cell.impossible].append(cell.phase.name)
                continue
            fake.reset()
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder, Box(Path(folder)) as box:
                try:
                    wrong = play(cell, fake=fake, box=box, folder=Path(folder))
                except (RuntimeError, OSError, SubprocessError) as error:  # the box's own: the rest goes on
                    wrong = (repr(error),)
                if wrong and Path(folder, "said.log").exists():
                    print(Path(folder, "said.log").read_text(errors="replace")[-6000:])
            failed += bool(wrong)
            outcome = "; ".join(wrong) or "ok"
            print(f"{cell.name:60} {time.monotonic() - began:5.0f} s  {outcome}", flush=True)
    for (fault, why), phases in impossible.items():
        print(f"{fault}: impossible in {len(phases)} phases, {why} ({', '.join(phases)})")
    return failed


sys.exit(bool(main(sys.argv[1:])))
