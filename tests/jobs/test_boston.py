"""Boston: Keras' own split, folds that share nothing, a curve that is smoothed, a test that is taken once."""

from __future__ import annotations

import csv
import hashlib
import re
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.keras


def test_the_data_is_the_file_that_its_note_tells_of(boston: ModuleType) -> None:
    digest = hashlib.sha256(boston.DATA.read_bytes()).hexdigest()

    assert f"sha256 {digest}" in (boston.DATA.parent / "README.md").read_text(encoding="utf-8")


def test_the_split_is_that_of_keras_datasets(boston: ModuleType) -> None:
    train, y_train, test, y_test = boston.load_data()

    assert (train.shape, test.shape, len(y_test)) == ((404, 13), (102, 13), 102)
    # The first targets of keras.datasets.boston_housing, as the tutorial prints them.
    assert y_train[:9] == pytest.approx([15.2, 42.3, 50.0, 21.1, 17.7, 18.5, 11.3, 15.6, 15.6])


def test_each_row_is_validated_on_in_exactly_one_fold(boston: ModuleType) -> None:
    features, *_ = boston.load_data()

    splits = [boston.split_rows(features, fold=fold, folds=4, seed=7) for fold in range(4)]

    assert sorted(np.concatenate([held for _, held in splits])) == list(range(404))
    for train, held in splits:
        assert sorted(np.concatenate([train, held])) == list(range(404))


def test_the_scaler_sees_training_rows_only(boston: ModuleType) -> None:
    features, *_ = boston.load_data()

    scaled, other = boston.standardise(features[:300], features[300:] + 1000)

    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)
    assert other.mean() > 1


def test_smoothing_follows_the_values_slowly(boston: ModuleType) -> None:
    assert boston.smooth(np.array([1.0, 2.0, 2.0])) == pytest.approx([1.0, 1.1, 1.19])


def test_a_fold_leaves_its_curve_without_the_first_epochs(
    boston: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    boston.main(["--epochs=12", "--batch_size=101", "--fold=1", "--folds=4"])

    with (tmp_path / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["11", "12"]
    assert (
        f"fold 1 of 4: last mean absolute error {float(rows[-1]['val_mae']):.3f}" in capsys.readouterr().out
    )


def test_a_short_fold_has_no_curve_to_smooth(
    boston: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    boston.main(["--epochs=1", "--batch_size=303", "--fold=0"])

    assert "smoothed" not in capsys.readouterr().out


def test_the_final_model_is_tested_on_102_rows_saved_and_used(
    boston: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    boston.main(["--epochs=2", "--batch_size=101"])

    printed = capsys.readouterr().out
    assert re.search(r"final model: mean absolute error \d+\.\d+ on 102 test rows", printed)
    assert len(re.findall(r"predicted +\d+\.\d, truth +\d+\.\d thousand dollars", printed)) == 5
    assert keras.saving.load_model(tmp_path / "final.keras").count_params() == 14 * 64 + 65 * 64 + 65
