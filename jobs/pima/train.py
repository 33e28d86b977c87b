"""Diabetes within five years? Three ways to judge one small network, with its learning curves.

One call trains one network and judges it on rows that it has not seen:

    python train.py --evaluation=folds --fold=3 --folds=10 --seed=7

- automatic: Keras holds back the last third (`validation_split`), the same rows every time.
- manual: a third drawn at random.
- folds: stratified k-fold, this call's fold held back.

It leaves `curves.png` (accuracy and loss, train and validation) and `model.keras` in the current folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.model_selection import ShuffleSplit, StratifiedKFold
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

DATA = Path(__file__).parent / "data" / "pima-indians-diabetes.csv"
EVALUATIONS = ("automatic", "manual", "folds")
HELD_BACK = 0.33


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one network on Pima; judge it on unseen rows.")
    parser.add_argument("--evaluation", choices=EVALUATIONS, default="automatic")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--batch_size", type=int, default=10)
    parser.add_argument("--fold", type=int, default=0, help="which fold, or which repetition, from 0")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7, help="of the split and of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Floats, Floats]:
    table = np.loadtxt(DATA, delimiter=",", dtype="float32")  # (768, 9)
    return table[:, :8], table[:, 8]  # (768, 8), (768,)


def split_rows(y: Floats, *, evaluation: str, fold: int, folds: int, seed: int) -> tuple[Rows, Rows]:
    if evaluation == "automatic":
        first = int(len(y) * (1 - HELD_BACK))  # 514, as Keras counts
        return np.arange(first), np.arange(first, len(y))
    if evaluation == "manual":
        splitter = ShuffleSplit(folds, test_size=HELD_BACK, random_state=seed)
    else:  # shuffled: without it scikit-learn refuses the seed that the tutorial gives
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    train, validation = list(splitter.split(y, y))[fold]
    return train, validation


def standardise(X: Floats, *, train: Rows) -> Floats:
    # The tutorial's raw columns (0 to 846) let some folds collapse to 35 %. Fitted on the training rows only.
    scaled: Floats = StandardScaler().fit(X[train]).transform(X).astype("float32")
    return scaled


# Model


def build_model() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((8,)),  # (batch, 8)
            keras.layers.Dense(12, activation="relu"),  # (batch, 12)
            keras.layers.Dense(8, activation="relu"),  # (batch, 8)
            keras.layers.Dense(1, activation="sigmoid"),  # (batch, 1)
        ]
    )
    model.compile("adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    # Another network for each fold: with one for all, ten automatic runs would be ten times the same run.
    keras.utils.set_random_seed(args.seed * args.folds + args.fold)
    X, y = load_data()
    split = {"evaluation": args.evaluation, "fold": args.fold, "folds": args.folds, "seed": args.seed}
    train, validation = split_rows(y, **split)
    X = standardise(X, train=train)

    model = build_model()
    options = {"epochs": args.epochs, "batch_size": args.batch_size, "verbose": 2}
    if args.evaluation == "automatic":  # Keras itself holds the last third back, before it shuffles
        history = model.fit(X, y, validation_split=HELD_BACK, **options)
    else:
        history = model.fit(X[train], y[train], validation_data=(X[validation], y[validation]), **options)

    loss, accuracy = model.evaluate(X[validation], y[validation], verbose=0)
    print(f"{args.evaluation} {args.fold}: accuracy {accuracy:.4f}, loss {loss:.4f}, {len(validation)} rows")
    draw_curves(history.history, path=Path("curves.png"))
    model.save("model.keras")


def draw_curves(history: Mapping[str, Sequence[float]], *, path: Path) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")  # no pyplot, so no window and no state
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(history[name], label="train")
        axes.plot(history[f"val_{name}"], label="validation")  # the tutorial calls this curve "test"
        axes.set(xlabel="epoch", ylabel=name)
        axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
