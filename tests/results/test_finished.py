"""--needed leaves out what has succeeded before, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.results.finished import finished_runs
from tests.batch_factory import BatchFolder, Job

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "20261119-0100-calm-newt", "20261121-0213-brisk-otter"


def test_only_runs_that_succeeded_are_finished(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "batches" / NEW, [Job(repeats=4)])
    for run, state in enumerate(("succeeded", "failed", "running")):
        batch.set_state(run, state)

    assert finished_runs(tmp_path) == (("content-sonar-0", NEW, "sonar-0000-00000000"),)


def test_the_newest_batch_counts_for_equal_content(tmp_path: Path) -> None:
    for name in (OLD, NEW):
        BatchFolder(tmp_path / "batches" / name, [Job()]).set_all("succeeded")

    assert [batch for _, batch, _ in finished_runs(tmp_path)] == [NEW]


def test_only_wanted_contents_are_looked_at(tmp_path: Path) -> None:
    BatchFolder(tmp_path / "batches" / NEW, [Job(repeats=3)]).set_all("succeeded")

    found = finished_runs(tmp_path, contents=["content-sonar-1", "another"])

    assert [content for content, _, _ in found] == ["content-sonar-1"]


def test_batches_and_runs_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    BatchFolder(tmp_path / "batches" / OLD, [Job()]).set_all("succeeded")
    broken = BatchFolder(tmp_path / "batches" / NEW, [Job()])
    (broken.folder / "plan.json").write_bytes(b"\xff")
    odd = BatchFolder(tmp_path / "batches" / "20261122-0000-odd-bat", [Job(repeats=3)])
    odd.set_all("succeeded")
    odd.plan["runs"] = [7, {"id": "x"}, {"content": "c"}, {"id": ["x"], "content": "c"}]
    odd.write_plan()
    BatchFolder(tmp_path / "batches" / "20991122-0000-new-bat", [Job()], schema=9).set_all("succeeded")

    assert [batch for _, batch, _ in finished_runs(tmp_path)] == [OLD]


def test_a_home_without_batches_has_no_finished_run(tmp_path: Path) -> None:
    assert finished_runs(tmp_path) == ()
