"""Ids may be any unique prefix, and nothing means the newest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from launcher.errors import UsageError
from launcher.results.find import find_batch, find_run, list_batches
from tests.batch_factory import BatchFolder, Job

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, NEWEST = "20261119-0100-calm-newt", "20261121-0213-brisk-otter", "20261121-0213-able-crow"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for age, name in enumerate((OLD, NEW, NEWEST)):
        batch = BatchFolder(tmp_path / "batches" / name, [Job(repeats=2), Job(name=f"only-{age}")])
        os.utime(batch.folder / "plan.json", ns=(age, age))
    return tmp_path


def test_batches_come_newest_first_also_within_a_minute(home: Path) -> None:
    assert [batch.name for batch in list_batches(home)] == [NEWEST, NEW, OLD]


def test_a_folder_without_a_plan_is_no_batch(home: Path) -> None:
    (home / "batches" / "20991231-2359-half-made").mkdir()
    (home / "batches" / "20991231-2359-a-file").touch()

    assert list_batches(home)[0].name == NEWEST


def test_a_home_without_batches_has_none(tmp_path: Path) -> None:
    assert list_batches(tmp_path) == ()
    with pytest.raises(UsageError, match="no batch") as caught:
        find_batch(tmp_path)
    assert "launcher submit" in caught.value.todo


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [(None, NEWEST), (OLD, OLD), ("202611", None), ("20261119", OLD), ("20261121-0213-b", NEW), ("", None)],
)
def test_a_batch_is_found_by_a_unique_prefix(home: Path, prefix: str | None, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="3 batches begin with") as caught:
            find_batch(home, prefix)
        assert NEWEST in caught.value.what
    else:
        assert find_batch(home, prefix) == home / "batches" / expected


def test_a_whole_id_is_found_though_another_begins_with_it(home: Path) -> None:
    BatchFolder(home / "batches" / (NEW + "-2"), [])

    assert find_batch(home, NEW).name == NEW


@pytest.mark.parametrize(
    ("prefix", "hint"),
    [
        ("brisk-otter", f"Did you mean {NEW}?"),
        ("20261121-0213-brisk-ottre", f"Did you mean {NEW}"),
        ("zzz", f"There are: {NEWEST}, {NEW}, {OLD}."),
        ("../../etc", "There are:"),
        ("\x1b[31m", "There are:"),
    ],
)
def test_an_unknown_batch_is_refused_with_a_hint(home: Path, prefix: str, hint: str) -> None:
    with pytest.raises(UsageError, match="No batch begins with") as caught:
        find_batch(home, prefix)

    assert hint in caught.value.todo
    assert "\x1b" not in caught.value.what
    assert caught.value.exit_code == 2


def test_a_run_is_looked_for_in_the_newest_batch_first(home: Path) -> None:
    found = find_run(home, "sonar-0001")

    assert (found.batch.name, found.run) == (NEWEST, "sonar-0001-00000000")


def test_a_run_that_the_newest_batch_lacks_is_found_in_an_older_one(home: Path) -> None:
    assert find_run(home, "only-0").batch.name == OLD


@pytest.mark.parametrize("prefix", [f"{OLD}/sonar-0000", "20261119/sonar-0000-00000000"])
def test_a_run_of_an_older_batch_is_named_with_its_batch(home: Path, prefix: str) -> None:
    assert find_run(home, prefix).batch.name == OLD
    assert find_run(home, "sonar-0000", OLD[:9]).batch.name == OLD


def test_several_runs_of_one_batch_are_refused_with_their_ids(home: Path) -> None:
    with pytest.raises(UsageError, match=f"2 runs of {NEWEST} begin with 'sonar'") as caught:
        find_run(home, "sonar")

    assert "sonar-0000-00000000, sonar-0001-00000000" in caught.value.what


def test_a_run_of_several_older_batches_is_refused_with_the_batches(home: Path) -> None:
    BatchFolder(home / "batches" / "20270101-0000-new-hen", [Job(name="other")])

    with pytest.raises(UsageError, match="3 runs begin with") as caught:
        find_run(home, "sonar-0000")

    assert f"{OLD}/sonar-0000-00000000" in caught.value.what


@pytest.mark.parametrize("prefix", ["sonat", "only-7"])
def test_an_unknown_run_is_refused_with_a_hint(home: Path, prefix: str) -> None:
    with pytest.raises(UsageError, match="No run begins with") as caught:
        find_run(home, prefix)

    assert caught.value.todo.startswith(("Did you mean", "There are"))


def test_an_unknown_run_of_a_named_batch_is_not_looked_for_elsewhere(home: Path) -> None:
    with pytest.raises(UsageError, match=f"No run in {NEWEST} begins with 'only-0'"):
        find_run(home, f"{NEWEST}/only-0")


def test_a_batch_without_runs_has_none_to_offer(tmp_path: Path) -> None:
    BatchFolder(tmp_path / "batches" / NEW, [])

    with pytest.raises(UsageError) as caught:
        find_run(tmp_path, "x")

    assert caught.value.todo == "There are: none."


def test_an_older_batch_that_cannot_be_read_hides_no_run(home: Path) -> None:
    (home / "batches" / NEW / "plan.json").write_bytes(b"garbage")

    assert find_run(home, "only-0").batch.name == OLD


def test_many_candidates_are_counted_not_listed(tmp_path: Path) -> None:
    BatchFolder(tmp_path / "batches" / NEW, [Job(repeats=2000)])

    with pytest.raises(UsageError, match="2,000 runs") as caught:
        find_run(tmp_path, "sonar")

    assert "and 1,995 more" in caught.value.what
