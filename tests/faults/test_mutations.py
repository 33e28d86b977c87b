"""The matrix has teeth: without one of the things that keep the promises, a cell goes wrong."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.box.box import Box
from tests.faults.matrix import Cell, possible
from tests.faults.play import play

if TYPE_CHECKING:
    from tests.fake_ec2 import FakeEc2

TOP = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is taken out, and the cell that tells.

    Attributes:
        file: of the package.
        changes: what stands there, and what stands there then.
        told: what the cell says of it.
    """

    file: str
    changes: tuple[tuple[str, str], ...]
    cell: str
    told: str


MUTATIONS = {
    # Its timer, and the one that stands beside it: each alone would end a machine.
    "the deadman": Mutation(
        "aws/user_data.py",
        (
            ("ExecStart={_PROGRAM} tick", "ExecStart=/bin/true"),
            ("ExecStart=/bin/systemctl poweroff --force --force", "ExecStart=/bin/true"),
        ),
        "nobody home, the deadline comes / running",
        "did not end itself",
    ),
    "the replay of the intent": Mutation(
        "aws/launch.py",
        (
            (
                "        attempt = self._intent.record.attempt\n        if attempt and not",
                "        attempt = None\n        if attempt and not",
            ),
        ),
        "kill -9 / bought, unheard",
        "status says",
    ),
    "the verification before the end": Mutation(
        "pull.py",
        (
            (
                "        missing: list[Missing] = []\n        for run, files in left.items():\n",
                "        missing: list[Missing] = []\n        for run, files in dict[str, Any]().items():\n",
            ),
        ),
        "power cut at home / all is at home",
        "out.bin is not what it wrote",
    ),
}


@pytest.mark.root
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", MUTATIONS)
def test_without_it_a_cell_goes_wrong(what: str, fake_ec2: FakeEc2, tmp_path: Path) -> None:
    mutation = MUTATIONS[what]
    package = without(tmp_path / "without", mutation)

    with Box(tmp_path) as box:
        wrong = play(cell_named(mutation.cell), fake=fake_ec2, box=box, folder=tmp_path, package=package)

    assert any(mutation.told in each for each in wrong), (
        wrong,
        (tmp_path / "said.log").read_text(errors="replace"),
    )


def without(folder: Path, mutation: Mutation) -> Path:
    """Return a folder with a copy of the package in which something is taken out."""
    shutil.copytree(TOP / "launcher", folder / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOP / "ami", folder / "ami")
    path = folder / "launcher" / mutation.file
    text = path.read_text()
    for there, then in mutation.changes:
        assert text.count(there) == 1
        text = text.replace(there, then)
    path.write_text(text)
    return folder


def cell_named(name: str) -> Cell:
    return next(cell for cell in possible() if cell.name == name)
