"""Checkpoints on disk: whole or not at all, files beside them, and never for more than 2 % of the time."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from launcher.hooks.launcher_checkpoint_file import Checkpoint, read_checkpoint, write_checkpoint
from launcher.hooks.launcher_checkpoint_files import FileKeeper
from launcher.hooks.launcher_checkpoint_pace import Pace
from launcher.hooks.launcher_checkpoint_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Run:
    """A run's folder with a store of checkpoints, as each attempt opens it anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("work", "outputs"):
            (folder / name).mkdir(parents=True)
        self.open()

    def open(self) -> None:
        roots = {name: str(self.folder / name) for name in ("work", "outputs")}
        self.files = FileKeeper(str(self.folder / "checkpoint" / "files"), roots=roots)
        self.store = Store(str(self.folder / "checkpoint"), files=self.files)
        self.before = self.files.look()

    def save(self, epoch: int, *, fit: int = 0, is_end: bool = False) -> None:
        state = Checkpoint({"epoch": epoch, "is_end": is_end}, [np.arange(epoch, dtype="float32")])
        self.store.save(fit, state, before=self.before)

    def epoch(self, fit: int = 0) -> int | None:
        self.open()
        found = self.store.load(fit)
        return None if found is None else int(found.facts["epoch"])

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "checkpoint").glob("0*"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "a'; echo b")


ARRAYS = [
    np.array([[1.5, float("nan")], [float("-inf"), -0.0]]),
    np.array(7, dtype="int64"),
    np.zeros((0, 3), dtype="float16"),
    np.arange(12, dtype="uint8").reshape(3, 4).T,
    np.array([True, False]),
    np.array(["a", "é\n"]),
]


def test_comes_back_to_the_bit(tmp_path: Path) -> None:
    facts = {"text": "é\n", "none": None, "number": 0.1, "infinite": float("inf")}

    write_checkpoint(str(tmp_path / "state"), Checkpoint(facts, list(ARRAYS)))

    found = read_checkpoint(str(tmp_path / "state"))
    assert found is not None
    assert found.facts == facts
    for before, after in zip(ARRAYS, found.arrays, strict=True):
        assert (after.dtype, after.shape, after.tobytes()) == (before.dtype, before.shape, before.tobytes())


def test_the_latest_of_the_last_two_counts(run: Run) -> None:
    for epoch in (3, 5, 8):
        run.save(epoch)

    assert run.names() == ["0000.a", "0000.b"]
    assert run.epoch() == 8
    run.save(9)
    assert run.epoch() == 9
    assert run.epoch(1) is None


@pytest.mark.parametrize("length", [0, 10, 150, -1])
def test_a_torn_one_leaves_the_one_before(run: Run, length: int) -> None:
    run.save(3)
    run.save(5)
    path = run.folder / "checkpoint" / "0000.b"
    path.write_bytes(path.read_bytes()[:length])

    assert run.epoch() == 3
    run.save(6)
    assert run.epoch() == 6
    assert [read_checkpoint(str(run.folder / "checkpoint" / name)) is None for name in run.names()] == [
        False
    ] * 2


def test_a_flipped_bit_is_seen(run: Run) -> None:
    run.save(300)
    path = run.folder / "checkpoint" / "0000.a"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)

    assert run.epoch() is None


def test_the_end_of_a_fit_takes_the_place_of_its_states(run: Run) -> None:
    run.save(3)
    run.save(5)

    run.save(4, is_end=True)

    assert run.names() == ["0000.end"]
    assert run.epoch() == 4


def test_a_fit_that_starts_over_takes_the_later_ones_with_it(run: Run) -> None:
    for fit in range(3):
        (run.folder / "work" / f"best{fit}").write_text("x")
        run.save(4, fit=fit, is_end=True)

    run.store.drop_from(1)

    assert run.names() == ["0000.end"]
    assert {path.name[:5] for path in (run.folder / "checkpoint" / "files").iterdir()} == {"0000-"}


def test_files_of_a_fit_come_back_as_they_were(run: Run) -> None:
    (run.folder / "work" / "data.csv").write_text("given")
    run.open()
    best = run.folder / "outputs" / "deep" / "best"
    best.parent.mkdir()
    best.write_text("of epoch 3")
    (run.folder / "work" / "log").write_text("x")
    run.save(3)
    best.write_text("of epoch 4, which is trained again")
    (run.folder / "work" / "log").unlink()
    run.open()
    state = run.store.load(0)
    assert state is not None

    run.store.put_files_back(state)

    assert best.read_text() == "of epoch 3"
    assert (run.folder / "work" / "log").read_text() == "x"
    assert len(state.facts["files"]) == 2


def test_each_content_is_stored_once_and_no_longer_than_needed(run: Run) -> None:
    stored = run.folder / "checkpoint" / "files"
    (run.folder / "work" / "same").write_text("same")
    changing = run.folder / "work" / "changing"

    for epoch in range(5):
        changing.write_text("x" * epoch)
        run.save(epoch)

    assert sorted(path.stat().st_size for path in stored.iterdir()) == [3, 4, 4]


def test_a_checkpoint_whose_files_are_gone_does_not_count(run: Run) -> None:
    (run.folder / "work" / "log").write_text("x")
    run.save(3)
    for path in (run.folder / "checkpoint" / "files").iterdir():
        path.unlink()

    assert run.epoch() is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.root
@pytest.mark.parametrize("what", ["state", "file"])
def test_on_a_full_disk_the_one_before_stays(small_disk: Path, what: str) -> None:
    run = Run(small_disk / "run")
    run.save(3)
    if what == "file":
        (run.folder / "work" / "large").write_bytes(bytes(140_000))

    with pytest.raises(OSError, match="No space left"):
        run.save(100_000 if what == "state" else 4)

    assert run.epoch() == 3
    assert not list(run.folder.rglob("*.new"))


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def save(pace: Pace, clock: Clock, seconds: float) -> None:
    with pace.saving():
        clock.now += seconds


def test_checkpoints_come_as_often_as_asked_for() -> None:
    clock = Clock()
    pace = Pace(300.0, clock=clock)
    due: list[Any] = [pace.is_due()]
    clock.now += 300
    due.append(pace.is_due())
    save(pace, clock, 2.0)
    clock.now += 299.0
    due.append(pace.is_due())
    clock.now += 1.0
    due.append(pace.is_due())

    assert due == [False, True, False, True]


def test_costly_checkpoints_take_no_more_than_two_percent_of_the_time() -> None:
    clock = Clock()
    pace = Pace(1.0, clock=clock)
    began, spent = clock.now, 0.0
    while clock.now < began + 1000:
        clock.now += 0.5
        if pace.is_due():
            save(pace, clock, 0.4)
            spent += 0.4

    assert 0.018 < spent / (clock.now - began) <= 0.02


def test_long_epochs_are_held_in_memory_within_the_same_two_percent() -> None:
    clock = Clock()
    pace = Pace(1.0, clock=clock)
    pace.begin_epoch()
    clock.now += 60.0
    long_one = pace.begin_epoch()
    assert not pace.may_hold(0.9)
    assert pace.may_hold(long_one)
    save(pace, clock, 0.1)

    with pace.holding():
        clock.now += 0.5

    assert pace.may_hold(60.0)
    assert not pace.may_hold(49.0)
    clock.now += 29.0
    assert not pace.is_due()
    clock.now += 1.0
    assert pace.is_due()


def test_of_thousands_of_short_fits_not_all_are_kept() -> None:
    clock = Clock()
    pace = Pace(300.0, clock=clock)
    kept = 0
    for _ in range(1000):
        clock.now += 0.1
        if pace.may_finish():
            save(pace, clock, 0.01)
            kept += 1

    assert 100 < kept < 350
