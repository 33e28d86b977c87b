"""Histories are read as they were logged: torn, repeated, widened, hostile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from launcher.results.history import count_epochs, read_epoch_s, read_history, read_progress
from tests.batch_factory import history

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "fit,epoch,attempt,seconds,loss\n"


def write(folder: Path, text: str | bytes) -> Path:
    (folder / "history.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def test_a_history_has_a_column_of_numbers_for_each_logged_name(tmp_path: Path) -> None:
    found = read_history(write(tmp_path, history(3)))

    assert found.epochs == 3
    assert found.logged == ("loss", "val_accuracy")
    assert found.columns["loss"].dtype == np.float64
    np.testing.assert_array_equal(found.columns["loss"], [1.0, 0.5, 0.25])
    np.testing.assert_array_equal(found.columns["seconds"], [2.0, 2.0, 2.0])


def test_floats_come_back_bit_for_bit(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1e-308, 1.7976931348623157e308, -0.0]
    rows = "".join(f"0,{epoch},1,0.5,{value!r}\n" for epoch, value in enumerate(values))

    found = read_history(write(tmp_path, HEADER + rows))

    assert found.columns["loss"].tobytes() == np.array(values).tobytes()


def test_the_latest_attempt_counts_for_an_epoch_that_two_trained(tmp_path: Path) -> None:
    text = history(3) + history(2, attempt=2, first=9.0, header=False)

    found = read_history(write(tmp_path, text))

    np.testing.assert_array_equal(found.columns["loss"], [9.0, 4.5, 0.25])
    np.testing.assert_array_equal(found.columns["attempt"], [2, 2, 1])


def test_an_earlier_attempt_never_counts_though_it_stands_later(tmp_path: Path) -> None:
    found = read_history(write(tmp_path, HEADER + "0,0,2,1.0,5.0\n0,0,1,1.0,7.0\n"))

    assert found.columns["loss"].tolist() == [5.0]


def test_epochs_come_in_order_of_fit_and_epoch(tmp_path: Path) -> None:
    rows = "1,10,1,1.0,4.0\n1,9,1,1.0,3.0\n0,1,1,1.0,2.0\n0,0,1,1.0,1.0\n"

    found = read_history(write(tmp_path, HEADER + rows))

    assert found.columns["loss"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_torn_last_line_is_not_taken_for_a_number(tmp_path: Path) -> None:
    found = read_history(write(tmp_path, history(2) + "0,2,1,2.0,0.12"))

    assert found.epochs == 2
    assert count_epochs(tmp_path) == 2


def test_what_was_not_logged_is_nan(tmp_path: Path) -> None:
    rows = "0,0,1,1.0,0.5\n0,1,1,1.0,,0.25\n0,2,1,1.0,nan,inf\n0,3,1,1.0,x,1\n"
    text = "fit,epoch,attempt,seconds,loss,late\n" + rows

    found = read_history(write(tmp_path, text))

    np.testing.assert_array_equal(found.columns["loss"], [0.5, math.nan, math.nan, math.nan])
    np.testing.assert_array_equal(found.columns["late"], [math.nan, 0.25, math.inf, 1.0])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"loss\n1\n",
        b"\x00\xff\n\xfe\n",
        HEADER.encode(),
        HEADER.encode() + b"x,0,1,1,1\n\n0\n0,0,1,1,1,1,1,1\n",
        b'fit,epoch,attempt,seconds,"unclosed\n0,0,1,1,1\n',
    ],
)
def test_what_is_no_history_has_no_epochs(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, content)

    assert read_history(tmp_path).columns == {}
    assert (read_history(tmp_path).epochs, read_history(tmp_path).logged) == (0, ())
    assert read_progress(tmp_path, attempt=1) is None
    assert count_epochs(tmp_path) == 0


def test_a_run_without_a_history_has_no_epochs(tmp_path: Path) -> None:
    assert read_history(tmp_path / "absent").epochs == 0
    assert count_epochs(tmp_path / "absent") == 0


def test_a_broken_cell_costs_its_row_only(tmp_path: Path) -> None:
    found = read_history(write(tmp_path, HEADER + "0,0,1,1," + "9" * 200_000 + "\n0,1,1,1.0,0.5\n"))

    assert found.columns["epoch"].tolist() == [1.0]


def test_quoted_names_and_other_line_ends_are_read(tmp_path: Path) -> None:
    text = 'fit,epoch,attempt,seconds,"a ""b"", c"\r\n0,0,1,1.0,0.5\r\n'

    found = read_history(write(tmp_path, text))

    assert found.columns['a "b", c'].tolist() == [0.5]
    assert count_epochs(tmp_path) == 1


@pytest.mark.parametrize(
    ("text", "epochs"),
    [
        (history(5), 5),
        (history(5) + history(3, attempt=2, header=False), 5),
        (history(2) + history(3, fit=1, header=False), 5),
        (HEADER + "0,0,1,1,1,1,1\nnonsense\n0,x,1,1,1\n0,1,1,1.0,0.5\n", 1),
        ("epoch,fit,attempt,seconds,loss\n0,0,1,1,1\n0,1,1,1,1\n", 2),
    ],
)
def test_epochs_are_counted_once_however_often_they_were_trained(
    tmp_path: Path, text: str, epochs: int
) -> None:
    write(tmp_path, text)

    assert count_epochs(tmp_path) == epochs == read_history(tmp_path).epochs


def test_progress_is_that_of_the_attempt_that_runs(tmp_path: Path) -> None:
    text = history(9) + history(2, attempt=2, first=8.0, header=False)

    found = read_progress(write(tmp_path, text), attempt=2)

    assert found is not None
    assert (found.attempt, found.fit, found.epoch, found.epochs, found.seconds) == (2, 0, 1, 2, 4.0)
    assert found.values == {"loss": 4.0, "val_accuracy": -1.0}
    assert found.losses == (8.0, 4.0)


def test_a_new_attempt_has_no_progress_before_its_first_epoch(tmp_path: Path) -> None:
    assert read_progress(write(tmp_path, history(9)), attempt=2) is None


def test_progress_shows_the_losses_of_the_last_fit(tmp_path: Path) -> None:
    text = history(3) + history(2, fit=1, first=4.0, header=False)

    found = read_progress(write(tmp_path, text), attempt=1)

    assert found is not None
    assert (found.epochs, found.fit, found.losses) == (5, 1, (4.0, 2.0))


def test_progress_without_seconds_or_loss_still_counts(tmp_path: Path) -> None:
    found = read_progress(write(tmp_path, "fit,epoch,attempt,accuracy\n0,0,1,0.5\n"), attempt=1)

    assert found is not None
    assert (found.epochs, found.seconds, found.values) == (1, 0, {"accuracy": 0.5})
    assert all(math.isnan(loss) for loss in found.losses)


@pytest.mark.parametrize(
    ("text", "took"),
    [
        ("", None),
        ("fit,epoch,attempt,loss\n0,0,1,0.5\n", None),
        (f"{HEADER}0,0,1,9.0,1\n0,1,1,nan,1\n0,2,1,0.2,1\n0,3,1,0.1,1\n", 0.2),
    ],
)
def test_how_long_an_epoch_took_is_that_of_the_middle_one(
    tmp_path: Path, text: str, took: float | None
) -> None:
    assert read_epoch_s(write(tmp_path, text)) == took
