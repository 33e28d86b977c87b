"""What is left is estimated from what was measured, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from launcher.report.estimate import duration_s, elapsed_s, estimate
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from tests.batch_factory import NOW, OTHER_BOOT, BatchFolder, Job, history, iso

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.report.estimate import Estimate


def look(batch: BatchFolder) -> Estimate:
    batch.set_runner(boot_id=OTHER_BOOT)
    record = read_batch(batch.folder, now=NOW, boot_id=None)
    return estimate(record, NOW, details=read_details(record))


def start(batch: BatchFolder, run: int, *, ago_s: float, epochs: int = 0) -> None:
    batch.set_state(run, "running", started_at=iso(NOW - timedelta(seconds=ago_s)))
    batch.set_history(run, history(epochs))


def test_nothing_is_known_before_anything_was_measured(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=3)])
    start(batch, 0, ago_s=5)

    assert look(batch) == (None, {})


def test_a_running_run_goes_by_its_own_epochs(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{"epochs": 10}])])
    start(batch, 0, ago_s=100, epochs=4)

    found = look(batch)

    assert found.runs_s == {batch.ids[0]: 12.0}
    assert found.batch_s == 12.0


def test_without_epochs_a_run_goes_by_the_median_of_its_job(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=5)])
    for run, took_s in enumerate((10, 40, 30, 1000)):
        batch.set_state(run, "succeeded", took_s=took_s)
    start(batch, 4, ago_s=5)

    assert look(batch).runs_s == {batch.ids[4]: 30.0}


def test_a_run_that_takes_longer_than_expected_is_about_to_end(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=2)])
    batch.set_state(0, "succeeded", took_s=10)
    start(batch, 1, ago_s=60)

    assert look(batch).batch_s == 0.0


def test_a_variant_goes_by_its_own_runs_first(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{"size": 1}, {"size": 2}, {"size": 3}], repeats=2)])
    batch.set_state(0, "succeeded", took_s=10)
    batch.set_state(1, "succeeded", took_s=50)
    for run in (3, 4, 5):
        start(batch, run, ago_s=1)

    assert list(look(batch).runs_s.values()) == [9.0, 49.0, 29.0]


def test_failed_runs_are_measured_only_where_none_succeeded(tmp_path: Path) -> None:
    batch = BatchFolder(
        tmp_path / "b", [Job(variants=[{}], repeats=3), Job(name="bad", variants=[{}], repeats=2)]
    )
    batch.set_state(0, "succeeded", took_s=100)
    batch.set_state(1, "failed", took_s=2)
    start(batch, 2, ago_s=0)
    batch.set_state(3, "failed", took_s=4)
    start(batch, 4, ago_s=0)

    assert list(look(batch).runs_s.values()) == [100.0, 4.0]


@pytest.mark.parametrize(
    ("slots", "expected"), [(1, 160.0), (2, 100.0), (3, 60.0), (4, 50.0), (99, 50.0), (None, 160.0)]
)
def test_the_queue_is_played_through_the_slots(tmp_path: Path, slots: int | None, expected: float) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=5)], slots=slots)
    batch.set_state(0, "succeeded", took_s=50)
    start(batch, 1, ago_s=40)

    assert look(batch).batch_s == expected


def test_interrupted_runs_are_run_again(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=2)])
    batch.set_state(0, "succeeded", took_s=50)
    batch.set_state(1, "interrupted")

    assert look(batch).batch_s == 50.0


def test_the_first_run_of_a_job_tells_of_those_behind_it(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{"epochs": 10}], repeats=3)])
    start(batch, 0, ago_s=10, epochs=5)

    assert look(batch).batch_s == 10 + 2 * 20


def test_a_job_that_nobody_has_measured_leaves_the_batch_unknown(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}]), Job(name="new", variants=[{}])])
    batch.set_state(0, "succeeded", took_s=50)

    assert look(batch).batch_s is None


def test_a_batch_without_a_runner_is_not_estimated(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=2)])
    batch.set_state(0, "succeeded", took_s=50)

    found = estimate(read_batch(batch.folder, now=NOW, boot_id=None), NOW)

    assert found.batch_s is None


def test_more_epochs_than_expected_are_not_believed(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{"epochs": 2}])])
    start(batch, 0, ago_s=10, epochs=5)

    assert look(batch).runs_s == {}


def test_times_that_cannot_be_read_are_unknown(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{}], repeats=2)])
    batch.set_state(0, "succeeded", ended_at="soon")
    batch.set_state(1, "succeeded", started_at="2026-11-21T02:00:00", ended_at="2026-11-21T01:00:00")

    first, second = read_batch(batch.folder, now=NOW, boot_id=None).runs

    assert (duration_s(first), duration_s(second)) == (None, 0.0)
    assert elapsed_s(first._replace(started_at=None), NOW) == 0.0
    assert look(batch).batch_s == 0.0
