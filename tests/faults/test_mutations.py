"""The matrix has teeth: without one of the things that keep the promises, a cell goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.box.box import Box
from tests.faults.matrix import Cell, possible
from tests.faults.play import play

if TYPE_CHECKING:
    from tests.fake_ec2 import FakeEc2

TOP = Path(__file__).parents[2]
# What is taken out: the file, what stands there, what stands there then; and the cell that tells.
TAKEN_OUT = {
    "the deadman": (
        "machine/deadman.py",
        "self._power_off(reason, state=self._state, end_runners=end_runners",
        "dict(reason=reason, state=self._state, end_runners=end_runners",
        "nobody home, the deadline comes / running",
    ),
    "the replay of the intent": (
        "aws/launch.py",
        "        attempt = self._intent.record.attempt\n        if attempt and not",
        "        attempt = None\n        if attempt and not",
        "kill -9 / bought, unheard",
    ),
    "the verification before the end": (
        "pull.py",
        "        missing: list[Missing] = []\n        for run, files in left.items():\n",
        "        missing: list[Missing] = []\n        for run, files in dict[str, Any]().items():\n",
        "power cut at home / all is at home",
    ),
}


@pytest.mark.root
@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", TAKEN_OUT)
def test_without_it_a_cell_goes_wrong(what: str, fake_ec2: FakeEc2, tmp_path: Path) -> None:
    file, there, then, name = TAKEN_OUT[what]
    package = without(tmp_path / "without", file, there=there, then=then)

    with Box(tmp_path) as box:
        wrong = play(cell_named(name), fake=fake_ec2, box=box, folder=tmp_path, package=package)

    assert wrong, (tmp_path / "said.log").read_text(errors="replace")


def without(folder: Path, file: str, *, there: str, then: str) -> Path:
    """Return a folder with a copy of the package in which something is taken out."""
    shutil.copytree(TOP / "launcher", folder / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "ami", folder / "ami")
    path = folder / "launcher" / file
    text = path.read_text()
    assert text.count(there) == 1
    path.write_text(text.replace(there, then))
    return folder


def cell_named(name: str) -> Cell:
    return next(cell for cell in possible() if cell.name == name)
