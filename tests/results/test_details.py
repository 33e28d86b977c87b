"""What running runs have done, and what failed ones said last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.results.batch import read_batch
from launcher.results.details import read_details, read_last_line
from tests.batch_factory import NOW, OTHER_BOOT, BatchFolder, Job, history

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.results.details import Details


def read(batch: BatchFolder) -> Details:
    batch.set_runner(boot_id=OTHER_BOOT)
    return read_details(read_batch(batch.folder, now=NOW, boot_id=None))


def test_the_progress_of_running_runs_is_read(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(repeats=3)])
    batch.set_state(0, "running")
    batch.set_state(1, "running", attempt=2)
    for run in (0, 1, 2):
        batch.set_history(run, history(2))

    found = read(batch)

    assert list(found.progress) == [batch.ids[0]]
    assert found.progress[batch.ids[0]].epochs == 2


def test_the_epochs_to_come_are_those_of_finished_siblings(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(repeats=5, variants=[{"epochs": 100}, {"epochs": 50}])])
    for run, epochs in ((0, 7), (2, 3), (4, 5), (6, 5)):
        batch.set_state(run, "succeeded")
        batch.set_history(run, history(epochs))
    batch.set_state(8, "running")
    batch.set_state(9, "running")

    found = read(batch)

    assert found.epochs == {batch.ids[8]: 5, batch.ids[9]: 50}


@pytest.mark.parametrize("epochs", [None, "30", 0, -1, True, 2.5])
def test_epochs_that_nobody_knows_are_not_guessed(tmp_path: Path, epochs: object) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(variants=[{"epochs": epochs}])])
    batch.set_state(0, "running")

    assert read(batch).epochs == {}


def test_only_the_first_failures_are_read(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(repeats=30)])
    for run in range(30):
        (batch.set_state(run, "failed") / "log.txt").write_text(f"line\nlast of {run}\n")

    found = read(batch)

    assert len(found.last_lines) == 10
    assert found.last_lines[batch.ids[3]] == "last of 3"


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (b"", ""),
        (b"\n \n\t\n", ""),
        (b"one\ntwo", "two"),
        (b"one\ntwo\n\n\n", "two"),
        (b"1/10\r2/10\r10/10 done\r\n", "10/10 done"),
        (b"step 1\x08\x08\x08\x08\r\x08\x08\x08", "step 1"),
        (b"x" * 20_000 + b"\nend\n", "end"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
    ],
)
def test_the_last_line_is_the_last_with_any_text(tmp_path: Path, log: bytes, last: str) -> None:
    (tmp_path / "log.txt").write_bytes(log)

    assert read_last_line(tmp_path) == last


def test_a_missing_log_has_no_last_line(tmp_path: Path) -> None:
    assert read_last_line(tmp_path / "absent") == ""
    (tmp_path / "log.txt").mkdir()
    assert read_last_line(tmp_path) == ""
    assert read_last_line("nul\0byte") == ""


@pytest.mark.parametrize(
    ("fast", "plain"),
    [
        ({"fits": 2, "plain": {}}, ()),
        ({"fits": 0, "plain": {"its model runs eagerly": 3}}, (("sonar", "its model runs eagerly"),)),
        ({"fits": 0}, ()),
        ("?", ()),
    ],
)
def test_why_a_run_did_not_go_the_fast_way_is_read_from_the_last_that_began(
    tmp_path: Path, fast: object, plain: tuple[tuple[str, str], ...]
) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(repeats=3)])
    batch.set_state(0, "succeeded")
    batch.set_state(1, "running")
    batch.set_metrics(1, {"fast": fast})

    assert read(batch).plain == plain
