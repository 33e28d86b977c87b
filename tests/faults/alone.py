"""Play one cell with an account and a box of its own, so that several can be played at a time."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from subprocess import SubprocessError
from typing import TYPE_CHECKING, NamedTuple

from tests.box.box import Box
from tests.fake_ec2 import FakeEc2
from tests.faults.play import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.matrix import Cell

_LAST_WORDS = 6000


class Played(NamedTuple):
    """What a cell came to: what went wrong, and then what launcher said."""

    seconds: float
    wrong: Sequence[str]
    said: str


def play_alone(cell: Cell) -> Played:
    """Play; what the box itself could not do is something that went wrong, too."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, FakeEc2() as fake, Box(Path(name)) as box:
        folder = Path(name)
        try:
            wrong = tuple(play(cell, fake=fake, box=box, folder=folder))
        except (RuntimeError, OSError, SubprocessError) as error:
            wrong = (repr(error),)
        log = folder / "said.log"
        said = log.read_text(errors="replace")[-_LAST_WORDS:] if wrong and log.exists() else ""
    return Played(time.monotonic() - began, wrong, said)
