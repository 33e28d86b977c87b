"""The sonar returns, for the scripts beside this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

DATA = Path(__file__).parent / "data" / "sonar.csv"


def load_data() -> tuple[Floats, Floats]:
    table = np.loadtxt(DATA, delimiter=",", dtype=str)  # (208, 61)
    X = table[:, :60].astype("float32")  # (208, 60)
    y = (table[:, 60] == "M").astype("float32")  # (208,), 1 is a mine
    return X, y


def standardise(X: Floats, *, train: Rows) -> Floats:
    # Fitted on the training rows: the held-out ones may not lend them their mean and deviation.
    scaled: Floats = StandardScaler().fit(X[train]).transform(X).astype("float32")
    return scaled
