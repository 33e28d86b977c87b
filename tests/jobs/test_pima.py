"""Pima: the three evaluations judge on rows that neither the network nor the scaler has seen."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras

EVALUATIONS = ("automatic", "manual", "folds")


def test_the_data_is_the_published_file(pima: ModuleType) -> None:
    digest = hashlib.sha256(pima.DATA.read_bytes()).hexdigest()

    assert digest == "54f8fee45592feeedd35f622615c203b1d3abd6616069d3851ddd929eeec9ec8"


def test_268_of_768_women_have_diabetes(pima: ModuleType) -> None:
    features, y = pima.load_data()

    assert features.shape == (768, 8)
    assert list(features[0]) == pytest.approx([6, 148, 72, 35, 0, 33.6, 0.627, 50])
    assert y.sum() == 268
    assert sorted(set(y)) == [0, 1]


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_no_row_is_both_learned_from_and_judged_on(pima: ModuleType, evaluation: str) -> None:
    _, y = pima.load_data()

    train, validation = pima.split_rows(y, evaluation=evaluation, fold=3, folds=10, seed=7)

    assert sorted(np.concatenate([train, validation])) == list(range(768))


@pytest.mark.parametrize("folds", [2, 10])
def test_each_row_is_judged_on_in_exactly_one_fold(pima: ModuleType, folds: int) -> None:
    _, y = pima.load_data()

    judged = [
        pima.split_rows(y, evaluation="folds", fold=fold, folds=folds, seed=7)[1] for fold in range(folds)
    ]

    assert sorted(np.concatenate(judged)) == list(range(768))


def test_each_fold_holds_its_share_of_both_classes(pima: ModuleType) -> None:
    _, y = pima.load_data()

    ill = [
        y[pima.split_rows(y, evaluation="folds", fold=fold, folds=10, seed=7)[1]].sum() for fold in range(10)
    ]

    assert set(ill) <= {26, 27}


@pytest.mark.parametrize("evaluation", ["automatic", "manual"])
def test_a_third_is_held_back(pima: ModuleType, evaluation: str) -> None:
    _, y = pima.load_data()

    train, validation = pima.split_rows(y, evaluation=evaluation, fold=0, folds=10, seed=7)

    assert (len(train), len(validation)) == (514, 254)


def test_the_automatic_third_is_the_last_one(pima: ModuleType) -> None:
    _, y = pima.load_data()

    _, validation = pima.split_rows(y, evaluation="automatic", fold=5, folds=10, seed=8)

    assert list(validation) == list(range(514, 768))


def test_each_manual_third_is_drawn_anew_and_can_be_drawn_again(pima: ModuleType) -> None:
    _, y = pima.load_data()
    asked = [(0, 7), (1, 7), (0, 8), (0, 7)]

    thirds = [
        tuple(pima.split_rows(y, evaluation="manual", fold=fold, folds=10, seed=seed)[1])
        for fold, seed in asked
    ]

    assert len(set(thirds)) == 3
    assert thirds[0] == thirds[3]


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_the_scaler_sees_training_rows_only(pima: ModuleType, evaluation: str) -> None:
    features, y = pima.load_data()
    train, validation = pima.split_rows(y, evaluation=evaluation, fold=0, folds=10, seed=7)
    spoiled = features.copy()
    spoiled[validation] += 1000

    scaled, scaled_spoiled = (pima.standardise(data, train=train) for data in (features, spoiled))

    np.testing.assert_array_equal(scaled[train], scaled_spoiled[train])
    np.testing.assert_allclose(scaled[train].mean(axis=0), 0, atol=1e-5)


def test_the_network_is_the_published_one(pima: ModuleType) -> None:
    model = pima.build_model()

    assert [layer.units for layer in model.layers] == [12, 8, 1]
    assert model.count_params() == (8 * 12 + 12) + (12 * 8 + 8) + (8 + 1)


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_the_curve_ends_where_the_held_back_rows_are_judged(
    run_script: RunScript, tmp_path: Path, evaluation: str
) -> None:
    arguments = (f"--evaluation={evaluation}", "--epochs=1", "--fold=1", "--folds=2", "--seed=3")

    printed = run_script("pima/train.py", *arguments, into=tmp_path)

    last = re.findall(r"val_accuracy: (\d\.\d+) - val_loss: (\d\.\d+)", printed)[-1]
    assert f"{evaluation} 1: accuracy {last[0]}, loss {last[1]}," in printed
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert keras.saving.load_model(tmp_path / "model.keras").count_params() == 221


def test_ten_automatic_runs_are_ten_different_networks(run_script: RunScript, tmp_path: Path) -> None:
    first, second = (
        run_script("pima/train.py", "--epochs=1", f"--fold={fold}", into=tmp_path / str(fold)).splitlines()[
            -1
        ]
        for fold in (0, 1)
    )

    assert first.partition(":")[2] != second.partition(":")[2]


def _folds(pima: ModuleType, y: Any, *, folds: int) -> list[Any]:
    return [
        pima.split_rows(y, evaluation="folds", fold=fold, folds=folds, seed=7)[1] for fold in range(folds)
    ]
