"""Variants are compared by repeats, and everything that is missing is said."""

from __future__ import annotations

import json
import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import pytest

from launcher.report.comparison import compare
from launcher.report.comparison_text import comparison_json, comparison_text
from launcher.report.metric_values import guess_mode, value_of
from launcher.results.batch import read_batch
from tests.batch_factory import BOOT, NOW, BatchFolder, Job, metrics

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.report.comparison import Comparison, Group

NAME = "20261121-0213-brisk-otter"
VARIANTS: list[dict[str, Any]] = [{"lr": 0.1, "placement": "none"}, {"lr": 0.1, "placement": "hidden"}]


def make(folder: Path, job: Job, values: list[float | None], **kind: str) -> BatchFolder:
    batch = BatchFolder(folder / NAME, [job])
    for run, value in enumerate(values):
        batch.set_state(run, "succeeded")
        batch.set_metrics(run, metrics(value, **kind))
    return batch


def look(batch: BatchFolder, metric: str | None = None) -> Comparison:
    return compare([read_batch(batch.folder, now=NOW, boot_id=BOOT)], metric=metric)


def only(batch: BatchFolder, metric: str | None = None) -> Group:
    return look(batch, metric).groups[0]


def test_variants_are_compared_over_their_repeats(tmp_path: Path) -> None:
    job = Job(variants=VARIANTS, repeats=3)

    group = only(make(tmp_path, job, [0.8, 0.7, 0.9, 0.6, 0.85, 0.65]))

    first, second = group.rows
    assert (group.metric, group.mode, group.job, group.batch) == ("val_accuracy", "max", "sonar", NAME)
    assert (first.params, second.params) == ({"placement": "none"}, {"placement": "hidden"})
    assert first.summary.n == 3
    assert first.summary.mean == pytest.approx(0.85)
    assert first.summary.sd == pytest.approx(0.05)
    assert first.summary.se == pytest.approx(0.05 / math.sqrt(3))
    assert first.summary.low == pytest.approx(0.85 - 4.302652729911275 * 0.05 / math.sqrt(3))
    assert (first.is_best, second.is_best) == (True, False)


def test_folds_of_a_repeat_are_averaged_first(tmp_path: Path) -> None:
    values = [0.5, 0.7, 0.9, 0.6, 0.6, 0.9]

    row = only(make(tmp_path, Job(repeats=2, folds=3), [*values])).rows[0]

    means = [fmean(values[:3]), fmean(values[3:])]
    assert row.summary.n == 2
    assert row.summary.mean == pytest.approx(fmean(means))
    assert row.summary.sd == pytest.approx(stdev(means))
    assert (row.folds_sd, row.planned, row.counted) == (None, 6, 6)


def test_folds_of_one_repeat_have_their_own_spread_and_no_interval(tmp_path: Path) -> None:
    values = [0.5, 0.7, 0.9]
    batch = make(tmp_path, Job(folds=3), [*values])

    row = only(batch).rows[0]

    assert row.summary.n == 1
    assert row.summary.mean == pytest.approx(0.7)
    assert (row.summary.sd, row.summary.se, row.summary.low) == (None, None, None)
    assert row.folds_sd == pytest.approx(stdev(values))
    text = comparison_text(look(batch))
    assert "one repeat: no interval" in text
    assert "sd of folds" in text


def test_runs_that_did_not_succeed_are_said_and_not_counted(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(repeats=5), [0.5, 0.6])
    batch.set_state(2, "timed_out")
    batch.set_metrics(2, metrics(0.0))
    batch.set_state(3, "failed")

    group = only(batch)

    assert group.rows[0].summary.n == 2
    assert "3 of 5 runs missing: 1 timed out, 1 failed, 1 queued." in group.notes


def test_a_repeat_with_folds_missing_is_said(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(repeats=2, folds=2), [0.5, 0.6, 0.7])

    group = only(batch)

    assert group.rows[0].summary.mean == pytest.approx(fmean([0.55, 0.7]))
    assert "A repeat with folds missing is averaged over those that it has." in group.notes


def test_a_repeat_that_is_missing_altogether_is_not_incomplete(tmp_path: Path) -> None:
    group = only(make(tmp_path, Job(repeats=2, folds=2), [0.5, 0.6]))

    assert group.notes == ("2 of 4 runs missing: 2 queued.",)


def test_a_value_that_is_not_finite_makes_the_mean_so_and_is_said(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS, repeats=2), [0.5, None, 0.6, 0.7])

    group = only(batch)

    assert math.isnan(group.rows[1].summary.mean or 0)
    assert group.rows[0].summary.mean == pytest.approx(0.55)
    assert "1 of 4 values not finite; so is each mean that they are part of." in group.notes
    assert "nan" in comparison_text(look(batch))
    assert "not finite" in comparison_text(look(batch))
    assert not group.rows[1].is_best


def test_runs_without_metrics_are_said(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(repeats=3), [0.5, 0.6])
    batch.set_state(2, "succeeded")

    group = only(batch)

    assert group.rows[0].summary.n == 2
    assert group.notes == ("1 of 3 runs succeeded and left no metrics.",)


def test_a_metric_that_runs_do_not_have_is_said_with_those_they_have(tmp_path: Path) -> None:
    group = only(make(tmp_path, Job(repeats=2), [0.5, 0.6]), "val_acc")

    assert group.rows[0].summary.n == 0
    assert group.notes == (
        "2 of 2 runs have no val_acc; they have: evaluate.accuracy, evaluate.loss, loss, val_accuracy.",
    )


def test_the_last_evaluate_is_compared_when_asked_for(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(), [0.5])
    calls = [{"values": {"accuracy": 0.1}}, {"values": {"accuracy": 0.9}}]
    batch.set_metrics(0, {**metrics(0.5), "evaluate": calls})

    group = only(batch, "evaluate.accuracy")

    assert (group.metric, group.mode) == ("evaluate.accuracy", "max")
    assert group.rows[0].summary.mean == 0.9
    assert "accuracy (max) of the last evaluate" in comparison_text(look(batch, "evaluate.accuracy"))


def test_the_metric_and_mode_of_the_job_come_first(tmp_path: Path) -> None:
    job = Job(variants=VARIANTS, extra={"metric": "loss", "mode": "max"})

    group = only(make(tmp_path, job, [0.5, 0.6]))

    assert (group.metric, group.mode, group.rows[0].summary.mean) == ("loss", "max", 0.25)


@pytest.mark.parametrize(
    ("job_mode", "recorded", "metric", "expected"),
    [
        ("min", "max", None, "min"),
        (None, "min", None, "min"),
        (None, "sideways", None, "max"),
        ("min", "max", "evaluate.accuracy", "max"),
        (None, "max", "loss", "min"),
    ],
)
def test_the_mode_is_that_of_the_metric_that_is_compared(
    tmp_path: Path, job_mode: str | None, recorded: str, metric: str | None, expected: str
) -> None:
    job = Job(extra={"mode": job_mode})

    assert only(make(tmp_path, job, [0.5], mode=recorded), metric).mode == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("val_loss", "min"),
        ("mean_absolute_error", "min"),
        ("ROC_AUC", "max"),
        ("f1_score", "max"),
        ("perplexity", ""),
    ],
)
def test_a_mode_is_guessed_from_the_name_or_not_at_all(metric: str, expected: str) -> None:
    assert guess_mode(metric) == expected


def test_without_a_mode_nothing_is_best(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS), [1.0, 2.0], name="perplexity", mode="")

    assert not any(row.is_best for row in only(batch).rows)
    assert "perplexity at the last epoch" in comparison_text(look(batch))


def test_the_lowest_mean_is_best_where_less_is_better(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS), [1.0, 0.5], name="val_loss", mode="min")

    assert [row.is_best for row in only(batch).rows] == [False, True]


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"last": None, "metric": 7},
        {"last": {"m": "high"}, "metric": "m"},
        {"last": {"m": [1]}, "evaluate": {}, "metric": "m"},
        {"evaluate": [], "metric": "evaluate.m"},
        {"evaluate": [7], "metric": "evaluate.m"},
        {"evaluate": [{"values": 7}], "metric": "evaluate.m"},
    ],
)
def test_metrics_of_another_shape_have_no_value(tmp_path: Path, content: dict[str, Any]) -> None:
    batch = make(tmp_path, Job(), [0.5])
    batch.set_metrics(0, content)

    group = only(batch)

    assert group.rows[0].summary.n == 0
    assert "no value" in comparison_text(look(batch))


def test_a_whole_number_is_a_value() -> None:
    assert value_of({"last": {"epochs": 3}}, "epochs") == 3.0


def test_runs_of_earlier_batches_are_counted_and_said(tmp_path: Path) -> None:
    make(tmp_path, Job(repeats=2), [0.5, 0.7])
    skipped = [
        {"id": f"sonar-000{run}-00000000", "content": "c", "batch": NAME, "run": f"sonar-000{run}-00000000"}
        for run in range(2)
    ]
    job = Job(repeats=3)
    new = BatchFolder(tmp_path / "20261122-0000-new-hen", [job], skipped=skipped)
    new.plan["runs"] = new.plan["runs"][2:]
    new.write_plan()
    new.set_state(0, "succeeded")
    new.set_metrics(0, metrics(0.9))

    group = only(new)

    assert group.rows[0].summary.n == 3
    assert group.rows[0].summary.mean == pytest.approx(0.7)
    assert group.notes == ("2 of 3 runs had succeeded in earlier batches and are counted.",)


def test_a_job_without_runs_is_shown_empty(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / NAME, [Job()])
    batch.plan["runs"] = []
    batch.write_plan()

    text = comparison_text(look(batch))

    assert "no run tells a metric" in text
    assert only(batch).notes == ()


def test_several_batches_are_told_apart(tmp_path: Path) -> None:
    records = []
    for name in ("one", "two"):
        batch = make(tmp_path / name, Job(), [0.5])
        records.append(read_batch(batch.folder, now=NOW, boot_id=BOOT)._replace(id=name))

    text = comparison_text(compare(records))

    assert "at the last epoch, one\n" in text
    assert "at the last epoch, two\n" in text


def test_the_table_is_as_people_read_it(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS, repeats=3), [0.8, 0.7, 0.9, 0.6, 0.85, 0.65])

    assert comparison_text(look(batch)) == (
        f"sonar: val_accuracy (max) at the last epoch, {NAME}\n"
        "  variant           n   mean     sd     se  95 % interval\n"
        "  placement=none    3  0.850  0.050  0.029  0.726 to 0.974  best mean\n"
        "  placement=hidden  3  0.650  0.050  0.029  0.526 to 0.774\n"
        "  n counts repeats (seeds).\n"
        "  The best mean is not told apart from all others: their intervals overlap, or there is none.\n"
    )


def test_a_best_mean_whose_interval_stands_alone_needs_no_warning(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS, repeats=3), [0.90, 0.50, 0.91, 0.51, 0.92, 0.52])

    assert "not told apart" not in comparison_text(look(batch))


def test_a_best_mean_of_one_repeat_is_not_told_apart(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS), [0.9, 0.5])

    assert "not told apart" in comparison_text(look(batch))


def test_the_table_says_how_folds_are_counted(tmp_path: Path) -> None:
    text = comparison_text(look(make(tmp_path, Job(repeats=2, folds=2), [0.1, 0.2, 0.3, 0.4])))

    assert (
        "n counts repeats (seeds): the 2 folds of a repeat share training data and are averaged first."
        in text
    )


def test_equal_values_are_shown_without_noise(tmp_path: Path) -> None:
    text = comparison_text(look(make(tmp_path, Job(repeats=2), [0.5, 0.5])))

    assert "0.5000  0.0000  0.0000  0.5000 to 0.5000" in text


def test_thousands_of_variants_stay_readable(tmp_path: Path) -> None:
    variants = [{"lr": number} for number in range(300)]

    text = comparison_text(look(make(tmp_path, Job(variants=[*variants]), [0.5] * 300)))

    assert "… and 100 more variants" in text


def test_names_can_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    batch = make(
        tmp_path, Job(variants=[{"a\x1b[2J": "\x07"}, {"a\x1b[2J": "x"}]), [0.5, 0.6], name="m\x1b]0;x"
    )
    (tmp_path / NAME).rename(tmp_path / "b\x1b[31m")
    batch.folder = tmp_path / "b\x1b[31m"

    assert "\x1b" not in comparison_text(look(batch, "m\x1b[2J"))
    assert "\x07" not in comparison_text(look(batch))


def test_json_has_every_digit_and_no_number_that_is_not_finite(tmp_path: Path) -> None:
    batch = make(tmp_path, Job(variants=VARIANTS, repeats=2), [0.1, None, 0.2, 0.7])

    found = json.loads(json.dumps(comparison_json(look(batch)), allow_nan=False))

    group = found["groups"][0]
    assert list(group) == ["batch", "job", "metric", "mode", "repeats", "folds", "rows", "notes"]
    first, second = group["rows"]
    assert first["mean"] == pytest.approx(0.15, rel=1e-15)
    assert len(first["interval_95"]) == 2
    assert (second["mean"], second["sd"], second["interval_95"]) == (None, None, None)
    assert (first["runs"], first["counted"], first["n"], first["folds_sd"]) == (2, 2, 2, None)
