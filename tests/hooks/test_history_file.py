"""history.csv as several processes and broken disks see it."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from launcher.hooks import launcher_files
from launcher.hooks.launcher_history import Epoch, HistoryFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hooks.conftest import HookedRun


def add(file: HistoryFile, *, call: int = 0, fit: int | None = None, epoch: int = 0, **values: float) -> int:
    return file.add(Epoch(epoch, 0.25, values or {"loss": 1.0}), call=call, fit=fit)


def text_of(hooked: HookedRun) -> str:
    return (hooked.folder / "history.csv").read_text()


def test_writes_floats_as_repr(hooked: HookedRun) -> None:
    file = HistoryFile(str(hooked.folder), attempt=3)

    add(file, epoch=7, loss=0.1 + 0.2, mae=float("nan"), mse=-float("inf"))

    assert (
        text_of(hooked) == "fit,epoch,attempt,seconds,loss,mae,mse\n0,7,3,0.25,0.30000000000000004,nan,-inf\n"
    )


def test_a_later_column_leaves_earlier_rows_empty_there(hooked: HookedRun) -> None:
    file = HistoryFile(str(hooked.folder), attempt=1)

    add(file, loss=1.0)
    add(file, fit=0, epoch=1, loss=2.0, mae=3.0, mse=4.0)
    add(file, fit=0, epoch=2, mse=5.0)

    assert text_of(hooked).splitlines()[1:] == [
        "0,0,1,0.25,1.0,,",
        "0,1,1,0.25,2.0,3.0,4.0",
        "0,2,1,0.25,,,5.0",
    ]


def test_names_of_our_own_columns_and_odd_ones_stay_apart(hooked: HookedRun) -> None:
    file = HistoryFile(str(hooked.folder), attempt=1)
    values = {"attempt": 9.0, "logs.attempt": 8.0, 'a,"b\r\n': 7.0, "": 6.0, "é\udce9": 5.0}

    file.add(Epoch(0, 0.25, values), call=0, fit=None)
    HistoryFile(str(hooked.folder), attempt=1).add(Epoch(1, 0.25, {**values, "more": 1.0}), call=0, fit=None)

    odd = ["logs.attempt", "logs.logs.attempt", 'a,"b\r\n', "", "é\\udce9"]
    assert list(hooked.rows[0])[:9] == ["fit", "epoch", "attempt", "seconds", *odd]
    assert [row[name] for row in hooked.rows for name in odd] == ["9.0", "8.0", "7.0", "6.0", "5.0"] * 2


def test_two_writers_never_share_an_index(hooked: HookedRun) -> None:
    one, two = (HistoryFile(str(hooked.folder), attempt=1) for _ in range(2))

    taken = [add(one), add(two), add(one, call=1, mae=1.0), add(two, call=1), add(one, call=2)]

    assert taken == [0, 1, 2, 3, 4]
    assert [row["fit"] for row in hooked.rows] == ["0", "1", "2", "3", "4"]


def test_fits_without_rows_count(hooked: HookedRun) -> None:
    file = HistoryFile(str(hooked.folder), attempt=1)

    assert [add(file, call=2), add(file, call=1), add(file, call=3)] == [2, 1, 3]


def test_threads_and_writers_lose_no_row(hooked: HookedRun) -> None:
    def write(name: str) -> None:
        file = HistoryFile(str(hooked.folder), attempt=1)
        fit: int | None = None
        for epoch in range(30):
            fit = file.add(Epoch(epoch, 0.0, {name if epoch % 2 else "loss": 1.0}), call=0, fit=fit)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = sorted((int(row["fit"]), int(row["epoch"])) for row in hooked.rows)
    assert found == [(fit, epoch) for fit in range(4) for epoch in range(30)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("fit,epoch,attempt,seconds,loss\n0,0,1,0.5,3.0\n0,1,1,0.", ["0,0,1,0.5,3.0", "1,0,1,0.25,1.0"]),
        ("fit,epoch,attempt,seconds,loss\nrubbish\n", ["rubbish", "0,0,1,0.25,1.0"]),
        ("fit,epoch,attempt,seconds,loss\n", ["0,0,1,0.25,1.0"]),
        ("", ["0,0,1,0.25,1.0"]),
    ],
)
def test_a_torn_last_line_goes_and_all_before_it_stays(
    hooked: HookedRun, before: str, after: list[str]
) -> None:
    (hooked.folder / "history.csv").write_text(before)

    add(HistoryFile(str(hooked.folder), attempt=1))

    assert text_of(hooked).splitlines()[1:] == after


def test_a_file_that_is_not_ours_is_left_alone(hooked: HookedRun) -> None:
    (hooked.folder / "history.csv").write_text("date,event\n1066,Hastings\n")

    with pytest.raises(ValueError, match="something else"):
        add(HistoryFile(str(hooked.folder), attempt=1))

    assert text_of(hooked) == "date,event\n1066,Hastings\n"


def test_a_file_that_somebody_removed_is_begun_anew(hooked: HookedRun) -> None:
    file = HistoryFile(str(hooked.folder), attempt=1)
    fit = add(file)
    (hooked.folder / "history.csv").unlink()

    add(file, fit=fit, epoch=1)

    assert [(row["fit"], row["epoch"]) for row in hooked.rows] == [("0", "1")]


def test_a_full_disk_leaves_whole_rows(hooked: HookedRun) -> None:
    script = """
import resource, signal, sys
from launcher.hooks.launcher_history import Epoch, HistoryFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60, resource.RLIM_INFINITY))
file = HistoryFile(sys.argv[1], attempt=1)
for values in ({"loss": 1.0}, {"loss": 0.123456789}, {"loss": 1.0, "mae": 2.0}):
    try:
        file.add(Epoch(0, 0.5, values), call=0, fit=None)
    except OSError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""
    command = [sys.executable, "-c", script, str(hooked.folder)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert len(done.stdout.splitlines()) == 2
    assert text_of(hooked) == "fit,epoch,attempt,seconds,loss\n0,0,1,0.5,1.0\n"
    assert not list(hooked.folder.glob("*.new"))


def test_a_lock_that_is_never_given_back_does_not_hang_a_run(
    hooked: HookedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher_files, "_TRIES", 3)

    with launcher_files.locked(str(hooked.folder)):
        add(HistoryFile(str(hooked.folder), attempt=1))

    assert len(hooked.rows) == 1


def test_a_folder_that_is_gone_is_an_error_for_the_guard(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        add(HistoryFile(str(tmp_path / "gone"), attempt=1))
