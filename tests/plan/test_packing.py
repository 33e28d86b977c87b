"""How many runs at a time, and why."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.plan import Fleet
from launcher.spec.job import Needs
from tests.plan.factory import job, plan

CPU = Fleet(gpus=0)
QUARTER = "4 to a GPU, whose memory each takes as it grows (needs.gpus: 0.25)"


@pytest.mark.parametrize(
    ("needs", "given", "said"),
    [
        ([0], {}, "one at a time, as on the CPU without --slots"),
        ([1], {"fleet": CPU}, "one at a time, as on the CPU without --slots"),
        ([1], {"cpu": True}, "one at a time, as on the CPU without --slots"),
        ([1], {"fleet": Fleet()}, "one to a GPU"),
        ([0.25], {}, QUARTER),
        ([2, 0.25, 0], {"fleet": Fleet(gpus=2)}, f"{QUARTER}, one to 2 GPUs"),
        ([0.1], {}, "10 to a GPU, whose memory each takes as it grows (needs.gpus: 0.1)"),
        (
            [0],
            {"slots": 2},
            "2 at a time at most, as --slots says",
        ),
        ([0.25], {"slots": 3}, f"3 at a time at most, as --slots says, and {QUARTER}"),
    ],
)
def test_a_plan_says_how_many_at_a_time_and_why(needs: list[float], given: Any, said: str) -> None:
    made = plan(*(job(f"job{number}", needs=Needs(gpus)) for number, gpus in enumerate(needs)), **given)

    assert made.packing == made.frozen()["packing"] == said
