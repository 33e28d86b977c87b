"""IMDB and Reuters: files in Keras' own layout, read as Keras reads them; a search, then a final model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
from keras.src.datasets import imdb as keras_imdb
from keras.src.datasets import reuters as keras_reuters

from tests.jobs.conftest import NOWHERE
from tests.jobs.small_data import write_imdb, write_reuters

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras

WORDS = 150  # fewer than the files have, so that some are unknown


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(write_imdb(tmp_path / "reviews.npz"))


@pytest.fixture
def newswires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(write_reuters(tmp_path / "newswires.npz"))


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_a_file_is_read_as_keras_datasets_reads_it(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = request.getfixturevalue({"imdb": "reviews", "reuters": "newswires"}[name])
    theirs: Any = {"imdb": keras_imdb, "reuters": keras_reuters}[name]
    monkeypatch.setattr(theirs, "get_file", lambda **_: file)  # which would refuse this file's sha256

    ours = request.getfixturevalue(name).load_data(file, words=WORDS)

    for (rows, labels), (texts, their_labels) in zip(ours, theirs.load_data(num_words=WORDS), strict=True):
        assert [set(np.flatnonzero(row)) for row in rows] == [set(text) for text in texts]
        np.testing.assert_array_equal(labels, their_labels)


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_the_sha256_is_the_one_that_keras_knows(name: str, request: pytest.FixtureRequest) -> None:
    module: Any = {"imdb": keras_imdb, "reuters": keras_reuters}[name]

    assert request.getfixturevalue(name).SHA256 in module.load_data.__code__.co_consts


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_without_a_network_it_says_what_to_do(name: str, run_script: RunScript, tmp_path: Path) -> None:
    env = {**NOWHERE, "KERAS_HOME": str(tmp_path / "keras")}

    printed = run_script(f"words/{name}.py", into=tmp_path, env=env, succeeds=False)

    assert f"{name}.npz is not on this computer and could not be downloaded" in printed
    assert printed.splitlines()[-1].endswith("or name a file with --data.")
    assert "Traceback" not in printed


def test_the_networks_are_the_published_ones(imdb: ModuleType, reuters: ModuleType) -> None:
    assert [layer.units for layer in imdb.build_model(100).layers] == [16, 16, 1]
    assert [layer.units for layer in reuters.build_model(100, loss="sparse").layers] == [64, 64, 46]


def test_the_search_watches_rows_that_it_does_not_learn_from(
    imdb: ModuleType, reviews: str, capsys: pytest.CaptureFixture[str]
) -> None:
    imdb.main([f"--data={reviews}", "--stage=search", "--words=150", "--held_out=20", "--epochs=3"])

    assert re.search(r"lowest validation loss: 0\.\d{4} after epoch [123]\n", capsys.readouterr().out)


def test_the_final_model_learns_from_all_reviews_and_is_tested_once(
    imdb: ModuleType, reviews: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imdb.main([f"--data={reviews}", "--words=150", "--batch_size=1", "--best_epoch=20"])

    printed = capsys.readouterr().out
    accuracy = re.search(r"test: accuracy (\d\.\d+), loss \d\.\d+ on 60 reviews", printed)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.7  # one word tells
    assert "60/60" in printed
    assert "val_" not in printed
    assert len(re.findall(r"liked with probability \d\.\d+, truth [01]", printed)) == 5
    assert keras.saving.load_model(tmp_path / "model.keras").input_shape == (None, 150)


def test_both_losses_of_reuters_are_the_same_loss(
    reuters: ModuleType, newswires: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (f"--data={newswires}", "--words=150", "--batch_size=32", "--best_epoch=3")

    printed = []
    for loss in ("categorical", "sparse"):
        reuters.main([*options, f"--loss={loss}"])
        printed.append(re.findall(r"test: .*|predicted .*", capsys.readouterr().out))

    assert printed[0] == printed[1]
    assert len(printed[0]) == 1 + 5
    assert "on 92 newswires" in printed[0][0]


@pytest.mark.parametrize("loss", ["categorical", "sparse"])
def test_the_search_of_reuters_watches_what_it_holds_out(
    reuters: ModuleType, newswires: str, capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    reuters.main(
        [
            f"--data={newswires}",
            "--stage=search",
            f"--loss={loss}",
            "--words=150",
            "--held_out=80",
            "--epochs=2",
        ]
    )

    assert re.search(r"lowest validation loss: \d\.\d{4} after epoch [12]\n", capsys.readouterr().out)
