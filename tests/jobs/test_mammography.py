"""Mammography: OpenML's file as scikit-learn keeps it, splits that keep both classes, more than accuracy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from tests.jobs.conftest import NOWHERE
from tests.jobs.small_data import write_mammography

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hundred rows, twenty of them positive, where scikit-learn looks."""
    write_mammography(tmp_path / "sklearn")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "sklearn"


@pytest.mark.usefixtures("data_home")
def test_the_positives_are_the_rows_of_class_1(mammography: ModuleType) -> None:
    features, y = mammography.load_data()

    assert (features.shape, features.dtype) == ((100, 6), "float32")
    assert list(y[-20:]) == [1] * 20
    assert y.sum() == 20


@pytest.mark.filterwarnings(
    "ignore:A network error occurred:UserWarning"
)  # scikit-learn's, before it tries again
def test_a_changed_file_is_not_taken(
    mammography: ModuleType, data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mammography(data_home / "other", rows=50)
    kept = "openml/openml.org/data/v1/download/52214/mammography.arff.gz"
    (data_home / "other" / kept).replace(data_home / kept)

    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)

    with (
        pytest.warns(RuntimeWarning, match="Invalid cache"),  # scikit-learn asks OpenML again
        pytest.raises(SystemExit, match="could not be downloaded"),
    ):
        mammography.load_data()


def test_without_a_network_it_says_what_to_do(run_script: RunScript, tmp_path: Path) -> None:
    env = {**NOWHERE, "SCIKIT_LEARN_DATA": str(tmp_path / "empty")}

    printed = run_script("mammography/train.py", into=tmp_path, env=env, succeeds=False)

    assert "mammography is not on this computer and could not be downloaded from OpenML" in printed
    assert printed.splitlines()[-1].startswith("Run this once with a network")
    assert "Traceback" not in printed


@pytest.mark.parametrize(("evaluation", "held", "positives"), [("split", 50, 10), ("folds", 10, 2)])
def test_each_held_out_part_has_its_share_of_positives(
    mammography: ModuleType, evaluation: str, held: int, positives: int
) -> None:
    y = np.array([0] * 80 + [1] * 20)

    for fold in range(10):
        train, test = mammography.split_rows(y, evaluation=evaluation, fold=fold, folds=10, seed=7)

        assert (len(test), y[test].sum()) == (held, positives)
        assert sorted([*train, *test]) == list(range(100))


def test_each_row_is_held_out_in_exactly_one_fold(mammography: ModuleType) -> None:
    y = np.array([0] * 80 + [1] * 20)

    held = [
        mammography.split_rows(y, evaluation="folds", fold=fold, folds=10, seed=7)[1] for fold in range(10)
    ]

    assert sorted(np.concatenate(held)) == list(range(100))


@pytest.mark.usefixtures("data_home")
@pytest.mark.parametrize(("evaluation", "left"), [("split", ["curves.png"]), ("folds", [])])
def test_what_accuracy_hides_stands_beside_it(
    mammography: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    evaluation: str,
    left: list[str],
) -> None:
    mammography.main([f"--evaluation={evaluation}", "--epochs=2", "--fold=1", "--folds=2"])

    printed = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        rf"{evaluation} 1: accuracy \S+, auc \S+, loss \S+, pr_auc \S+, recall \d\.\d+", printed
    )
    assert [path.name for path in tmp_path.glob("*.png")] == left


@pytest.mark.usefixtures("data_home")
def test_the_final_model_is_saved_and_judges_the_first_row(
    mammography: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mammography.main(["--epochs=20"])

    assert "the first row: '-1' (probability of '1': " in capsys.readouterr().out
    assert keras.saving.load_model(tmp_path / "final.keras").count_params() == 7 * 50 + 51
