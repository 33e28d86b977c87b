"""Whatever goes wrong, and whenever: no machine is left, no result is lost, status tells the truth.

CI plays a choice that has every fault, and every phase that leaves something; `make faults` plays all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.box.box import Box
from tests.faults.matrix import FAULTS, PHASES, Cell, cells, choose, possible
from tests.faults.play import play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_ec2 import FakeEc2

SEED = 0
CHOSEN = choose(SEED)


@pytest.mark.root
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("cell", [pytest.param(cell, id=cell.name) for cell in CHOSEN])
def test_money_stops_and_results_survive(cell: Cell, fake_ec2: FakeEc2, tmp_path: Path) -> None:
    with Box(tmp_path) as box:
        wrong = play(cell, fake=fake_ec2, box=box, folder=tmp_path)

    assert wrong == (), (tmp_path / "said.log").read_text(errors="replace")


def test_every_fault_meets_every_phase_or_says_why_not() -> None:
    matrix = tuple(cells())

    assert len(matrix) == len(FAULTS) * len(PHASES)
    assert {cell.fault for cell in possible()} == set(FAULTS)
    assert {cell.phase for cell in possible()} == set(PHASES)


def test_what_is_chosen_has_every_fault_and_every_phase_and_is_always_the_same() -> None:
    assert {cell.fault for cell in CHOSEN} == set(FAULTS)
    assert {cell.phase for cell in CHOSEN} == {phase for phase in PHASES if not phase.only_asks}
    assert choose(SEED) == CHOSEN
