"""The table of published against measured: what counts as measured, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from launcher.report.statistics import summarize
from launcher.results.batch import read_batch
from tests.batch_factory import BOOT, NOW, BatchFolder, Job, metrics
from tests.jobs.conftest import JOBS
from tests.published.figures import BEST_EPOCH, BEST_EPOCH_SMOOTHED, LAST, Figure, read_figures
from tests.published.measure import Measured, measure
from tests.published.table import BEGIN, END, keep_measured, replace_between, write_tables
from tests.published.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARAMS = {"epochs": 4, "placement": "none"}


def figure(**other: Any) -> Figure:
    known: dict[str, Any] = {"job": "sonar", "named": {"placement": "none"}, "params": PARAMS, "spread": None}
    known |= {"what": "accuracy", "metric": "val_accuracy", "take": LAST, "published": 0.8}
    return Figure(**(known | other))


def batch(folder: Path, values: Sequence[float], **job: Any) -> BatchFolder:
    known: dict[str, Any] = {"variants": [PARAMS], "repeats": 2, "folds": 2}
    made = BatchFolder(folder, [Job(**(known | job))])
    for run, value in enumerate(values):
        made.set_state(run, "succeeded")
        made.set_metrics(run, metrics(value))
    return made


def take(wanted: Figure, *batches: BatchFolder) -> Measured:
    return measure(wanted, [read_batch(each.folder, now=NOW, boot_id=BOOT) for each in batches])


def test_every_experiment_has_a_figure_and_every_figure_a_variant() -> None:
    figures = read_figures(JOBS)

    experiments = {path.stem for path in JOBS.glob("*.yaml")} - {"multi-output-final", "mammography-final"}
    assert {each.job for each in figures} == experiments
    assert all(each.named.items() <= each.params.items() for each in figures)


def test_folds_are_averaged_and_a_repeat_that_lacks_one_does_not_count(tmp_path: Path) -> None:
    found = take(figure(), batch(tmp_path / "a", [0.6, 0.8, 0.9]))

    assert found.values == pytest.approx([0.7])
    assert (found.folds, found.engine) == (2, "tensorflow")


def test_a_smaller_run_is_another_thing(tmp_path: Path) -> None:
    small = batch(tmp_path / "a", [0.6] * 4, variants=[{"epochs": 1, "placement": "none"}])

    assert take(figure(), small).values == ()


def test_the_batch_with_the_most_whole_repeats_counts_and_says_by_what_it_trained(tmp_path: Path) -> None:
    few = batch(tmp_path / "a", [0.6, 0.6, 0.6])
    many = batch(tmp_path / "b", [0.7] * 4, extra={"env": {"KERAS_BACKEND": "jax"}, "fast": True})

    found = take(figure(), few, many)

    assert found.values == pytest.approx([0.7, 0.7])
    assert found.engine == "jax, fast"


@pytest.mark.parametrize(
    ("how", "metric", "epoch"), [(BEST_EPOCH, "val_loss", 2), (BEST_EPOCH, "val_accuracy", 3)]
)
def test_the_best_epoch_is_that_of_the_mean_curve(tmp_path: Path, how: str, metric: str, epoch: int) -> None:
    made = batch(tmp_path / "a", [0.6, 0.8])
    for run, values in enumerate(([3, 1, 2], [3, 2, 5])):
        lines = [f"0,{at},1,0.1,{value},{value}" for at, value in enumerate(values)]
        made.set_history(run, "fit,epoch,attempt,seconds,val_loss,val_accuracy\n" + "\n".join(lines) + "\n")

    assert take(figure(take=how, metric=metric), made).values == (epoch,)


def test_the_smoothed_best_epoch_leaves_the_first_ten_out(tmp_path: Path) -> None:
    made = batch(tmp_path / "a", [0.6], folds=None, repeats=1)
    curve = [0.0] * 10 + [5.0, 4.0, 9.0, 9.0]
    lines = [f"0,{at},1,0.1,{value}" for at, value in enumerate(curve)]
    made.set_history(0, "fit,epoch,attempt,seconds,val_mae\n" + "\n".join(lines) + "\n")

    assert take(figure(take=BEST_EPOCH_SMOOTHED, metric="val_mae"), made).values == (12,)


@pytest.mark.parametrize(
    ("values", "published", "said"),
    [
        ([], 0.8, "not measured"),
        ([0.8, 0.9], None, "nothing published"),
        ([0.8], 0.8, "one repeat tells no interval"),
        ([0.79, 0.80, 0.81], 0.8, "met: inside the interval"),
        ([0.79, 0.80, 0.81], 0.84, "met by some seeds: outside the interval of the mean, where one more"),
        ([0.79, 0.80, 0.81], 0.7, "not met: 0.100 better than published"),
        ([0.79, 0.80, 0.81], 0.9, "not met: 0.100 worse than published"),
    ],
)
def test_a_verdict_goes_by_two_intervals(values: list[float], published: float | None, said: str) -> None:
    assert judge(figure(published=published), summarize(values)).startswith(said)


@pytest.mark.parametrize(("published", "said"), [(20, "not met: earlier"), (1, "not met: later")])
def test_an_epoch_is_earlier_or_later(published: float, said: str) -> None:
    wanted = figure(take=BEST_EPOCH, metric="val_loss", published=published)

    assert judge(wanted, summarize([7, 8, 7, 8])).startswith(said)


def test_less_error_is_better() -> None:
    wanted = figure(metric="val_mae", published=3.0)

    assert judge(wanted, summarize([2.0, 2.01, 2.02])) == "not met: 0.990 better than published"


def test_the_table_says_mean_interval_and_repeats() -> None:
    found = Measured((0.79, 0.80, 0.81), 10, "jax")

    *_, row = write_tables([(figure(spread=0.05), found)]).splitlines()

    assert row == (
        "| sonar | placement none | accuracy | 0.8 (folds: 0.050) | 0.800 (0.775 to 0.825) "
        "| 3 x 10 folds | jax | met: inside the interval |"
    )


def test_what_was_not_measured_stands_in_the_table_too() -> None:
    *_, row = write_tables([(figure(), Measured((), None, ""))]).splitlines()

    assert row == "| sonar | placement none | accuracy | 0.8 | - | - | - | not measured |"


def test_the_interval_shrinks_with_repeats() -> None:
    found = Measured((0.79, 0.80, 0.81, 0.80, 0.79), 10, "jax")

    text = write_tables([(figure(job="skill-estimate"), found)])

    assert "| 3 | 0.800 | 0.010 | 0.0058 | 0.775 to 0.825 |" in text
    assert "| 5 | 0.798 | 0.008 | 0.0037 | 0.788 to 0.808 |" in text


def test_what_was_measured_earlier_stays_until_it_is_measured_again() -> None:
    measured, missing = Measured((0.79, 0.80, 0.81), 10, "jax"), Measured((), None, "")
    shrinking = figure(job="skill-estimate")
    page = f"{BEGIN}\n\n{write_tables([(figure(), measured), (shrinking, measured)])}\n\n{END}"

    kept = keep_measured(write_tables([(figure(), missing), (shrinking, missing)]), page)
    other = keep_measured(write_tables([(figure(published=0.9), missing), (shrinking, measured)]), page)

    assert f"{BEGIN}\n\n{kept}\n\n{END}" == page
    assert other.count("not measured") == 1
    assert other.count("How the interval") == 1


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert replace_between(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="published: begin"):
        replace_between("no marks", "new")
