"""The page of a batch: true, a page however large the batch is, harmless to the terminal."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from launcher.report.lines import View, plain_lines
from launcher.report.live import live_view
from launcher.report.status import status_text
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from tests.batch_factory import NOW, OTHER_BOOT, BatchFolder, Job, history, iso

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.results.records import BatchRecord

NAME = "20261121-0213-brisk-otter"
ZONE = timezone(timedelta(hours=1))


def look(batch: BatchFolder, *, columns: int = 100) -> str:
    record = read(batch)
    return status_text(record, now=NOW, details=read_details(record), zone=ZONE, columns=columns)


def read(batch: BatchFolder) -> BatchRecord:
    return read_batch(batch.folder, now=NOW, boot_id=None)


def draw(batch: BatchFolder, *, columns: int = 100) -> str:
    from rich.console import Console

    record = read(batch)
    console = Console(width=columns, color_system=None, file=None)
    with console.capture() as capture:
        console.print(live_view(record, now=NOW, details=read_details(record), zone=ZONE, columns=columns))
    return capture.get()


@pytest.fixture
def batch(tmp_path: Path) -> BatchFolder:
    """Six runs of two variants: one of each fate."""
    variants: list[dict[str, Any]] = [{"epochs": 8, "lr": 0.1}, {"epochs": 8, "lr": 0.2}]
    batch = BatchFolder(tmp_path / NAME, [Job(variants=variants, repeats=3)], notes=["mind the seed"])
    batch.set_runner(boot_id=OTHER_BOOT)
    batch.set_state(0, "succeeded", took_s=30)
    batch.set_history(0, history(8))
    batch.set_state(1, "failed", took_s=3, exit_code=1, attempt=2)
    (batch.run_folder(1) / "log.txt").write_bytes(b"noise\n\x1b[31mValueError: no\x1b[0m\n")
    batch.set_state(2, "running", started_at=iso(NOW - timedelta(seconds=10)))
    batch.set_history(2, history(4))
    return batch


def test_the_page_of_a_running_batch(batch: BatchFolder) -> None:
    assert look(batch) == (
        "20261121-0213-brisk-otter: running on local\n"
        "██████████░░░░░░░░░░░░░░░░░░░░ 2 of 6 runs ended\n"
        "started 03:54:30, 5m30s ago, about 1m38s to go\n"
        "\n"
        "  sonar  2/6  1 succeeded, 1 running, 1 failed, 3 queued\n"
        "\n"
        "running\n"
        "  sonar-0002-00000000  lr=0.1 seed=8  epoch 4/8  val_accuracy 0.9375  █▄▂▁  8s left\n"
        "\n"
        "failed\n"
        "  sonar-0001-00000001  lr=0.2 seed=7\n"
        "    failed after 3s, attempt 2: exit code 1\n"
        "    ValueError: no\n"
        "\n"
        "note: mind the seed\n"
        "\n"
        "next\n"
        "  launcher attach 20261121-0213-brisk-otter                       follow it\n"
        "  launcher logs -f 20261121-0213-brisk-otter/sonar-0002-00000000  see what it prints\n"
        "  launcher stop 20261121-0213-brisk-otter                         end it\n"
        "  launcher logs 20261121-0213-brisk-otter/sonar-0001-00000001     see why it failed\n"
        "  launcher compare 20261121-0213-brisk-otter                      compare the variants\n"
    )


def test_the_page_of_a_batch_elsewhere_says_how_old_its_news_are(batch: BatchFolder) -> None:
    seen = {"pulled_at": iso(NOW - timedelta(hours=2)), "is_alive": True}
    (batch.folder / "seen.json").write_text(json.dumps(seen))

    assert "\nas of 02:00:00, 2h ago; news: launcher pull\n" in look(batch)


def test_the_live_view_has_the_same_facts(batch: BatchFolder) -> None:
    text = draw(batch)

    assert "20261121-0213-brisk-otter on local: 1 succeeded, 1 running, 1 failed, 3 queued" in text
    assert "started 03:54:30, 5m30s ago, about 1m38s to go" in text
    assert "2 of 6 runs ended" in text
    assert "sonar-0002-00000000  lr=0.1 seed=8  epoch 4/8  val_accuracy 0.9375  █▄▂▁  8s left" in text


@pytest.mark.parametrize("columns", [20, 60, 100])
def test_no_line_of_a_table_is_wider_than_the_terminal(batch: BatchFolder, columns: int) -> None:
    assert all(len(line) <= columns for line in draw(batch, columns=columns).splitlines())


def test_the_live_view_of_an_empty_batch_is_full(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [])

    assert "no runs" in draw(batch)
    assert "0 of 0 runs ended" in look(batch)


def test_a_narrow_terminal_shortens_what_is_special_first(batch: BatchFolder) -> None:
    batch.plan["jobs"][0]["variants"][0]["a-long-name"] = "a long value"
    batch.write_plan()

    line = next(line for line in look(batch).splitlines() if "epoch 4/8" in line)

    assert len(line) == 100
    assert "…" in line
    assert line.endswith("8s left")


def test_the_metric_is_the_one_that_the_job_names(batch: BatchFolder) -> None:
    batch.plan["jobs"][0]["metric"] = "loss"
    batch.write_plan()

    assert "loss 0.125" in look(batch)


@pytest.mark.parametrize(
    ("header", "row", "shown"),
    [
        ("loss,val_loss", "1.0,2.0", "val_loss 2"),
        ("loss,learning_rate", "1.0,2.0", "loss 1"),
        ("score", "1.0", "score 1"),
        ("learning_rate", "1.0", "epoch 1/8  "),
    ],
)
def test_without_one_the_metric_is_the_most_telling_one(
    batch: BatchFolder, header: str, row: str, shown: str
) -> None:
    batch.set_history(2, f"fit,epoch,attempt,seconds,{header}\n0,0,1,1.0,{row}\n")

    assert shown in look(batch)


def test_a_run_before_its_first_epoch_shows_how_long_it_has_run(batch: BatchFolder) -> None:
    batch.plan["jobs"][0]["variants"][0]["epochs"] = None
    batch.write_plan()
    batch.set_state(0, "queued")
    batch.set_state(1, "queued")
    batch.set_history(2, "")

    assert "lr=0.1 seed=8  no epoch yet      10s so far" in look(batch)


def test_a_batch_that_was_never_started_says_how_to_start_it(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job()])

    text = look(batch)

    assert "queued on local" in text
    assert "submitted 03:00:00, not started" in text
    assert f"launcher resume {NAME}  start it" in text


def test_a_batch_that_waits_for_another_says_so(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job()], created_at=None)
    batch.set_runner(boot_id=OTHER_BOOT)

    text = look(batch)

    assert "\nnot started\n" in text
    assert "it starts when the batches before it have ended" in text


def test_a_batch_that_succeeded_is_compared_next(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(seed=None)])
    batch.set_all("succeeded", took_s=60)

    text = look(batch)

    assert "started 03:54:00, ended 03:55:00 after 1m" in text
    assert text.endswith(f"next\n  launcher compare {NAME}  compare the variants\n")


def test_failed_runs_are_run_again_only_on_demand(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(repeats=3)])
    batch.set_state(0, "failed", signal=9, exit_code=None)
    batch.set_state(1, "stalled", reason="no output for 15m")
    batch.set_state(2, "failed", exit_code=None, ended_at=None)

    text = look(batch)

    assert "failed after 1m: signal 9" in text
    assert "stalled after 1m: no output for 15m" in text
    assert "    failed\n" in text
    assert f"launcher resume {NAME}  " in text
    assert f"launcher resume {NAME} --failed" in text


def test_runs_that_only_failed_have_nothing_to_go_on_with(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job()])
    batch.set_all("failed")

    assert "go on where it stopped" not in look(batch)


@pytest.mark.parametrize("state", ["interrupted", "cancelled"])
def test_unfinished_runs_are_grouped_by_their_reason(tmp_path: Path, state: str) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(repeats=500)])
    batch.set_all(state, reason="stopped by request")
    batch.set_state(7, state)

    text = look(batch)

    assert f"  499 runs {state}: stopped by request\n  1 run {state}\n" in text
    assert f"launcher resume {NAME}" in text


def test_an_interrupted_batch_says_when_its_last_run_ended(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(repeats=2)])
    batch.set_state(0, "succeeded", took_s=60)
    batch.set_state(1, "running")

    assert "its last run ended 03:55:00 after 1m" in look(batch)
    assert "1 run interrupted: its runner is gone" in look(batch)


def test_a_batch_of_which_nothing_ended_shows_its_start_only(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job()])
    batch.set_state(0, "running")

    assert "\nstarted 03:54:00\n" in look(batch)


def test_runs_that_had_succeeded_before_are_said(tmp_path: Path) -> None:
    skipped = [{"id": "sonar-0000-0", "content": "c", "batch": "old", "run": "sonar-0000-0"}]
    batch = BatchFolder(tmp_path / NAME, [Job()], skipped=skipped)
    batch.plan["runs"] = []
    batch.write_plan()

    assert "0 of 0 runs ended (1 run had succeeded before)" in look(batch)


def test_ten_thousand_runs_stay_a_page(tmp_path: Path) -> None:
    jobs = [Job(name=f"job-{index}", repeats=400) for index in range(25)]
    batch = BatchFolder(tmp_path / NAME, jobs, slots=100)
    batch.set_runner(boot_id=OTHER_BOOT)
    for run in range(1000):
        batch.set_state(run, "failed" if run % 3 else "running", reason=f"reason {run}")
    for run in range(1000, 1400):
        batch.set_state(run, "cancelled", reason=f"reason {run}")

    text = look(batch)

    assert len(text.splitlines()) < 100
    assert "… and 5 more jobs" in text
    assert "… and 324 more runs" in text
    assert "… and 656 more runs" in text
    assert "… and 390 more reasons" in text
    assert "… and 324 more runs" in draw(batch)


def test_nothing_from_outside_reaches_the_terminal_raw(batch: BatchFolder) -> None:
    bad = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202e"
    batch.plan["notes"] = [bad]
    batch.plan["on"] = bad
    batch.plan["jobs"][0]["variants"][0][bad] = bad
    batch.write_plan()
    batch.set_state(1, "failed", reason=bad, signal=bad)
    (batch.run_folder(1) / "log.txt").write_text(bad + "x")
    batch.set_state(3, "cancelled", reason=bad)
    batch.set_history(2, f'fit,epoch,attempt,seconds,"val_{bad}"\n0,0,1,1.0,1.0\n')
    batch.folder = batch.folder.rename(batch.folder.with_name("a\x1b[31mb\nc"))

    record = read(batch)
    lines = plain_lines(None, View(record, NOW))
    pages = look(batch) + draw(batch) + "\n".join(lines)

    assert all(line.isprintable() for line in pages.split("\n"))


# Lines for a pipe


def view(batch: BatchFolder, *, after_s: float = 0.0) -> View:
    record = read(batch)
    return View(record, NOW + timedelta(seconds=after_s), read_details(record))


def test_the_first_line_says_what_the_batch_is(batch: BatchFolder) -> None:
    assert plain_lines(None, view(batch), zone=ZONE) == [
        f"04:00:00 {NAME} on local: 2 of 6 runs ended: 1 succeeded, 1 running, 1 failed, 3 queued"
    ]


def test_each_change_of_state_is_a_line(batch: BatchFolder) -> None:
    before = view(batch)
    batch.set_state(2, "succeeded", took_s=12)
    batch.set_state(3, "running")
    batch.set_state(4, "failed", attempt=2, exit_code=3)

    lines = plain_lines(before, view(batch, after_s=5), zone=ZONE)

    assert lines == [
        "04:00:05 sonar-0002-00000000 succeeded after 12s",
        "04:00:05 sonar-0003-00000001 running (lr=0.2 seed=8)",
        "04:00:05 sonar-0004-00000000 failed after 1m, attempt 2: exit code 3",
    ]


def test_nothing_new_is_no_line(batch: BatchFolder) -> None:
    assert plain_lines(view(batch), view(batch, after_s=29)) == []


def test_progress_is_a_line_each_half_minute(batch: BatchFolder) -> None:
    seen = [view(batch, after_s=second) for second in range(95)]

    lines = [plain_lines(before, after, zone=ZONE) for before, after in pairwise(seen)]

    said = [new for new in lines if new]
    assert len(said) == 3
    assert said[0] == [
        "04:00:30 2 of 6 runs ended: 1 succeeded, 1 running, 1 failed, 3 queued, about 1m38s to go",
        "04:00:30 sonar-0002-00000000 epoch 4/8 val_accuracy 0.9375",
    ]


def test_the_end_of_a_batch_is_a_line(batch: BatchFolder) -> None:
    before = view(batch)
    batch.set_all("succeeded")

    lines = plain_lines(before, view(batch, after_s=60), zone=ZONE)

    assert lines[-1] == f"04:01:00 {NAME}: succeeded (6 of 6 runs ended: 6 succeeded)"
    assert len(lines) == 6


def test_an_estimate_that_is_unknown_is_left_out(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(variants=[{}])])
    batch.set_runner(boot_id=OTHER_BOOT)
    batch.set_state(0, "running")

    assert plain_lines(view(batch), view(batch, after_s=30), zone=ZONE) == [
        "04:00:30 0 of 1 run ended: 1 running"
    ]


def test_why_runs_started_afresh_is_said_once(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(repeats=3)])
    batch.set_all("succeeded")
    reasons = ["the imports started threads", "it died", "the imports started threads"]
    told = [{"event": "no_worker", "reason": reason} for reason in reasons]
    batch.add_events(*told, {"event": "no_worker"}, tail='{"event": "no_worker", "rea')

    text = look(batch)

    assert text.count("note: ") == 2
    assert "note: runs started afresh, not from a warm worker: the imports started threads\n" in text
    assert "note: runs started afresh, not from a warm worker: it died\n" in text


def test_fits_that_stopped_early_or_went_the_plain_way_are_said(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job(repeats=3)])
    batch.set_all("succeeded", reason="stopped early after epoch 7 of fit 0")
    batch.set_state(2, "succeeded")
    batch.set_metrics(2, {"fast": {"fits": 0, "plain": {"its model runs eagerly": 3}}})

    text = look(batch)

    assert "2 runs with fits that stopped early, as stop_when says\n" in text
    assert "note: sonar: a fit went the plain way, not the fast one: its model runs eagerly\n" in text
