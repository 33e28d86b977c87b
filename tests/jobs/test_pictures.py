"""MNIST and Fashion-MNIST: the published networks, a test that is taken once, data that is what it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from tests.jobs.conftest import NOWHERE

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.jobs.conftest import RunScript

pytestmark = pytest.mark.keras


def test_digits_are_split_anew_by_each_seed_and_share_no_row(mnist: ModuleType) -> None:
    parts = [mnist.load_data("digits", seed=seed) for seed in (1, 1, 2)]

    (train, y_train), (test, y_test) = parts[0]
    assert (train.shape, test.shape, len(y_train), len(y_test)) == ((1437, 64), (360, 64), 1437, 360)
    assert (train.min(), train.max()) == (0, 1)
    np.testing.assert_array_equal(test, parts[1][1][0])
    assert not np.array_equal(test, parts[2][1][0])


def test_mnist_is_what_keras_has_flat_and_between_0_and_1(
    mnist: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, labels = np.full((3, 28, 28), 255, dtype="uint8"), np.arange(3)
    monkeypatch.setattr(mnist, "load_mnist", lambda: ((pictures, labels), (pictures[:1], labels[:1])))

    (train, y_train), (test, _) = mnist.load_data("mnist", seed=1)

    assert (train.shape, test.shape, train.dtype, train.max()) == ((3, 784), (1, 784), "float32", 1)
    assert list(y_train) == [0, 1, 2]


def test_without_a_network_mnist_says_what_to_do(run_script: RunScript, tmp_path: Path) -> None:
    env = {**NOWHERE, "KERAS_HOME": str(tmp_path / "keras")}

    printed = run_script("mnist/train.py", into=tmp_path, env=env, succeeds=False)

    assert "MNIST is not on this computer and could not be downloaded" in printed
    assert printed.splitlines()[-1].endswith("or take --data=digits.")
    assert "Traceback" not in printed


def test_the_networks_are_the_published_ones(mnist: ModuleType, fashion: ModuleType) -> None:
    dense, wide = mnist.build_model(784), fashion.build_model(0.001)

    assert [layer.units for layer in dense.layers] == [512, 10]
    assert [layer.units for layer in wide.layers] == [256, 128, 10]
    assert (type(dense.optimizer).__name__, type(wide.optimizer).__name__) == ("RMSprop", "Adam")


def test_a_network_on_digits_is_tested_saved_and_used(
    mnist: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    mnist.main(["--data=digits", "--epochs=3", "--seed=3"])

    printed = capsys.readouterr().out
    accuracy = re.search(r"digits: accuracy (0\.\d+), loss \d\.\d+ on 360 test rows", printed)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.6
    assert re.search(r"the first test picture: \d \(\d\.\d+\), truth \d", printed)
    assert keras.saving.load_model(tmp_path / "model.keras").count_params() == 64 * 512 + 512 + 512 * 10 + 10


@pytest.mark.usefixtures("fashion_home")
def test_fashion_is_whole_balanced_and_named(fashion: ModuleType) -> None:
    (train, y_train), (test, y_test) = fashion.load_data()

    assert (train.shape, test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert set(np.bincount(y_train)) == {6_000}
    assert set(np.bincount(y_test)) == {1_000}
    assert len(fashion.NAMES) == 10


@pytest.mark.usefixtures("fashion_home")
def test_one_epoch_of_fashion_wears_all_rows_and_is_tested_on_all(
    fashion: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    fashion.main(["--epochs=1", "--seed=3"])

    printed = capsys.readouterr().out
    assert "844/844" in printed  # 54,000 rows of 64: the last batch is partial
    accuracy = re.search(r"accuracy (0\.\d+), loss \d\.\d+ on 10000 test rows", printed)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.8
    assert len(re.findall(r"predicted [\w -]+, truth [\w -]+", printed)) == 5


def test_a_damaged_fashion_is_refused(fashion: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    part = np.zeros((2, 28, 28), dtype="uint8"), np.zeros(2, dtype="uint8")
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: (part, part))

    with pytest.raises(SystemExit, match="Fashion-MNIST is damaged"):
        fashion.load_data()


def test_without_a_network_fashion_says_what_to_do(run_script: RunScript, tmp_path: Path) -> None:
    env = {**NOWHERE, "KERAS_HOME": str(tmp_path / "keras")}

    printed = run_script("fashion/train.py", into=tmp_path, env=env, succeeds=False)

    assert "Fashion-MNIST is not on this computer and could not be downloaded" in printed
    assert "dataset-fashion-mnist" in printed.splitlines()[-1]
    assert "Traceback" not in printed
