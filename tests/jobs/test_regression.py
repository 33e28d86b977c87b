"""Multi-output: one network for the folds and for the end, and a new row that is new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras


def test_the_data_has_five_informative_features_and_three_targets(regression: ModuleType) -> None:
    features, y, weights = regression.load_data()

    assert (features.shape, y.shape) == ((1000, 10), (1000, 3))
    assert (weights != 0).any(axis=1).sum() == 5
    np.testing.assert_allclose(features @ weights, y, atol=1e-3)


def test_the_data_is_the_published_data(regression: ModuleType) -> None:
    _, y, _ = regression.load_data()

    # The true targets of the row that the tutorial predicts: -148.0 -80.6 -91.6
    assert np.isclose(y, [-148.0, -80.6, -91.6], atol=0.06).all(axis=1).sum() == 1


@pytest.mark.parametrize("folds", [2, 10])
def test_each_row_is_tested_in_exactly_one_fold(regression: ModuleType, folds: int) -> None:
    features, _, _ = regression.load_data()

    splits = [regression.split_rows(features, fold=fold, folds=folds, seed=1) for fold in range(folds)]

    assert sorted(np.concatenate([test for _, test in splits])) == list(range(1000))
    for train, test in splits:
        assert sorted(np.concatenate([train, test])) == list(range(1000))


def test_another_seed_makes_other_folds(regression: ModuleType) -> None:
    features, _, _ = regression.load_data()

    first, second = (regression.split_rows(features, fold=0, folds=10, seed=seed)[1] for seed in (1, 2))

    assert list(first) != list(second)


def test_the_new_row_is_in_no_training_set_and_its_truth_is_known(regression: ModuleType) -> None:
    features, _, weights = regression.load_data()

    row, truth = regression.draw_new_row(weights)

    assert np.linalg.norm(features - row, axis=1).min() > 0.5
    np.testing.assert_allclose(truth, row @ weights)


def test_the_network_is_the_published_one(regression: ModuleType) -> None:
    hidden, output = regression.build_model().layers

    assert (hidden.units, output.units) == (20, 3)
    assert (hidden.activation.__name__, output.activation.__name__) == ("relu", "linear")
    assert type(hidden.kernel_initializer).__name__ == "HeUniform"
    assert hidden.count_params() + output.count_params() == (10 * 20 + 20) + (20 * 3 + 3)


def test_a_fold_is_looked_at_once_after_the_last_epoch(run_script: RunScript, tmp_path: Path) -> None:
    printed = run_script("regression/train.py", "--epochs=2", "--fold=1", "--folds=2", into=tmp_path)

    looks = re.findall(r"val_loss: (\d+\.\d{3})", printed)
    assert len(looks) == 1
    assert f"fold 1 of 2: mean absolute error {looks[0]} on 500 rows" in printed


def test_the_final_model_is_saved_and_predicts_the_new_row(
    run_script: RunScript, regression: ModuleType, tmp_path: Path
) -> None:
    printed = run_script("regression/train.py", "--epochs=1", into=tmp_path)

    row, truth = regression.draw_new_row(regression.load_data()[2])
    prediction = keras.saving.load_model(tmp_path / "final.keras").predict(row, verbose=0)
    assert _numbers_after("predicted:", printed) == pytest.approx(prediction[0], abs=0.01)
    assert _numbers_after("truth:", printed) == pytest.approx(truth[0], abs=0.01)


def _numbers_after(word: str, printed: str) -> list[float]:
    return [float(number) for number in printed.split(word)[1].splitlines()[0].split()]
