"""Batch sizes and remedies: variants learn from the same rows, and from nothing that they are tested on."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.keras


def test_a_quarter_of_the_returns_is_held_out_by_the_seed_alone(batch_size: ModuleType) -> None:
    _, y = batch_size.load_data()

    (train, test), again, other = (batch_size.split_rows(y, seed=seed) for seed in (7, 7, 8))

    assert (len(train), len(test)) == (156, 52)
    assert sorted([*train, *test]) == list(range(208))
    assert (list(test) == list(again[1]), list(test) == list(other[1])) == (True, False)


@pytest.mark.parametrize(("size", "steps"), [("all", "1/1"), ("100", "2/2")])
def test_the_curve_is_told_by_epochs_and_by_seconds(
    batch_size: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    size: str,
    steps: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    batch_size.main([f"--batch_size={size}", "--epochs=2"])

    printed = capsys.readouterr().out
    with (tmp_path / "curve.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert steps in printed
    assert f"batches of {size}: accuracy " in printed
    assert 0 < float(first["seconds"]) < float(second["seconds"])
    assert 0 <= float(second["val_accuracy"]) <= 1
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_few_digits_are_learned_from_fewer_watched_and_all_others_tested(regularisation: ModuleType) -> None:
    features, y = regularisation.load_data()

    train, watched, test = regularisation.split_rows(y, fold=2, folds=5, seed=7)

    assert (features.shape, features.max()) == ((1797, 8, 8, 1), 1)
    assert (len(train), len(watched), len(test)) == (287, 72, 1438)
    assert sorted(np.concatenate([train, watched, test])) == list(range(1797))


def test_each_remedy_is_where_it_belongs(regularisation: ModuleType) -> None:
    models = {remedy: regularisation.build_model(remedy) for remedy in regularisation.REMEDIES}

    kinds = {remedy: [type(layer).__name__ for layer in model.layers] for remedy, model in models.items()}
    assert kinds["none"] == kinds["early_stopping"] == kinds["l1"] == ["Flatten", "Dense", "Dense", "Dense"]
    assert kinds["dropout"].count("Dropout") == 2
    assert kinds["augmentation"][:2] == ["RandomRotation", "RandomTranslation"]
    assert [len(models[remedy].losses) for remedy in ("none", "l1", "l2")] == [0, 2, 2]
    assert [len(regularisation.make_callbacks(remedy)) for remedy in ("none", "early_stopping")] == [0, 1]
    assert len({model.count_params() for model in models.values()}) == 1


@pytest.mark.parametrize("remedy", ["l1", "early_stopping", "augmentation"])
def test_a_remedy_is_tested_once_by_a_loss_without_its_price(
    regularisation: ModuleType, capsys: pytest.CaptureFixture[str], remedy: str
) -> None:
    regularisation.main([f"--remedy={remedy}", "--epochs=2", "--fold=1"])

    printed = capsys.readouterr().out
    assert re.search(
        rf"{remedy}, fold 1 of 5: accuracy 0\.\d+, cross-entropy \d\.\d+ on 143[78] rows", printed
    )
