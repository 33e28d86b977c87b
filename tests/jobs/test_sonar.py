"""Sonar: the published networks on the real data, and nothing of the held-out fold in training."""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.jobs.conftest import JOBS

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras

PLACEMENTS = ("none", "visible", "hidden")


def test_the_data_is_the_published_file() -> None:
    digest = hashlib.sha256((JOBS / "sonar" / "data" / "sonar.csv").read_bytes()).hexdigest()

    assert digest == "52bd5cd3c1fe5cbafea365b870d7e7f166fbc26b874470c9e808dec4f8aa32ae"


def test_111_of_208_returns_are_mines(sonar: ModuleType) -> None:
    features, y = sonar.load_data()

    assert features.shape == (208, 60)
    assert 0 <= features.min() < features.max() <= 1
    assert y.sum() == 111
    assert sorted(set(y)) == [0, 1]


@pytest.mark.parametrize("folds", [2, 10])
def test_each_row_is_tested_in_exactly_one_fold(sonar: ModuleType, folds: int) -> None:
    _, y = sonar.load_data()

    splits = [sonar.split_rows(y, fold=fold, folds=folds, seed=7) for fold in range(folds)]

    assert sorted(np.concatenate([test for _, test in splits])) == list(range(208))
    for train, test in splits:
        assert sorted(np.concatenate([train, test])) == list(range(208))


def test_each_fold_holds_its_share_of_mines(sonar: ModuleType) -> None:
    _, y = sonar.load_data()

    mines = [y[sonar.split_rows(y, fold=fold, folds=10, seed=7)[1]].sum() for fold in range(10)]

    assert set(mines) <= {11, 12}


def test_another_seed_makes_other_folds(sonar: ModuleType) -> None:
    _, y = sonar.load_data()

    first, second = (sonar.split_rows(y, fold=0, folds=10, seed=seed)[1] for seed in (7, 8))

    assert list(first) != list(second)


def test_the_scaler_sees_training_rows_only(sonar: ModuleType) -> None:
    features, y = sonar.load_data()
    train, test = sonar.split_rows(y, fold=0, folds=10, seed=7)
    spoiled = features.copy()
    spoiled[test] += 1000

    scaled, scaled_spoiled = (sonar.standardise(data, train=train) for data in (features, spoiled))

    np.testing.assert_array_equal(scaled[train], scaled_spoiled[train])
    np.testing.assert_allclose(scaled[train].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[train].std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("placement", "layers", "rate", "momentum"),
    [
        ("none", ["Dense", "Dense", "Dense"], 0.01, 0.8),
        ("visible", ["Dropout", "Dense", "Dense", "Dense"], 0.1, 0.9),
        ("hidden", ["Dense", "Dropout", "Dense", "Dropout", "Dense"], 0.1, 0.9),
    ],
)
def test_the_networks_are_the_published_ones(
    sonar: ModuleType, placement: str, layers: list[str], rate: float, momentum: float
) -> None:
    model = sonar.build_model(placement)

    assert [type(layer).__name__ for layer in model.layers] == layers
    assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [60, 30, 1]
    assert model.count_params() == (60 * 60 + 60) + (60 * 30 + 30) + (30 + 1)
    assert float(model.optimizer.learning_rate) == pytest.approx(rate)
    assert model.optimizer.momentum == momentum


@pytest.mark.parametrize(("placement", "norm"), [("none", None), ("visible", 3.0), ("hidden", 3.0)])
def test_dropout_comes_with_max_norm(sonar: ModuleType, placement: str, norm: float | None) -> None:
    dense = [layer for layer in sonar.build_model(placement).layers if hasattr(layer, "units")]

    constraints = [getattr(layer.kernel_constraint, "max_value", None) for layer in dense]

    assert constraints == [norm, norm, None]


def test_all_placements_are_tested_on_the_same_rows(run_script: RunScript, tmp_path: Path) -> None:
    tested = [_tested_rows(run_script, placement, tmp_path / placement) for placement in PLACEMENTS]

    assert len(tested[0]) == 104
    assert tested[0] == tested[1] == tested[2]


def _tested_rows(run_script: RunScript, placement: str, folder: Path) -> list[tuple[str, str]]:
    arguments = (f"--placement={placement}", "--epochs=1", "--fold=1", "--folds=2", "--seed=3")
    assert "fold 1 of 2: accuracy 0." in run_script("sonar/train.py", *arguments, into=folder)

    with (folder / "predictions.csv").open(newline="") as file:
        return [(row["row"], row["mine"]) for row in csv.DictReader(file)]
