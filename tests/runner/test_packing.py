"""Threads of runs that share the processors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.runner.packing import count_processors, packing_environment
from tests.runner.kit import FROM_SOURCES, Job

if TYPE_CHECKING:
    from tests.runner.kit import Home

SHOW = 'echo "$OMP_NUM_THREADS,$TF_NUM_INTRAOP_THREADS,$TF_NUM_INTEROP_THREADS"'


@pytest.mark.parametrize(
    ("slots", "processors", "values"),
    [(None, 2, set()), (1, 1, set()), (2, 4, set()), (2, 2, {"1"}), (8, 2, {"1"})],
)
def test_runs_that_fill_the_processors_have_one_thread_each(
    slots: int | None, processors: int, values: set[str]
) -> None:
    found = packing_environment(slots=slots, processors=processors)

    assert set(found.values()) == values


def test_a_run_finds_its_threads_and_a_job_may_choose_others(home: Home) -> None:
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    slots = 2 * count_processors()
    batch = home.freeze(Job(SHOW), Job(SHOW, name="own", env={"OMP_NUM_THREADS": "3"}), slots=slots)

    batch.run(command=("env", *(f"-u{name}" for name in names), *FROM_SOURCES))

    assert [batch.log(run) for run in range(2)] == [b"1,1,1\n", b"3,1,1\n"]
