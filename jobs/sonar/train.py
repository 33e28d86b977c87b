"""A mine or a rock? Where dropout goes in a small network on 208 sonar returns.

One call trains one network on all folds but one and tests it on that one:

    python train.py --placement=hidden --fold=3 --folds=10 --seed=7

It leaves `predictions.csv` in the current folder: the held-out rows, the truth and the probability of a mine.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from returns import load_data, standardise
from sklearn.model_selection import StratifiedKFold

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

DROPOUT_RATE = 0.2
MAX_NORM = 3.0
# As published: dropout comes with max-norm and ten times the learning rate, so it is not the only difference.
OPTIMIZERS = {
    "none": {"learning_rate": 0.01, "momentum": 0.8},
    "visible": {"learning_rate": 0.1, "momentum": 0.9},
    "hidden": {"learning_rate": 0.1, "momentum": 0.9},
}


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train and test one network on one fold of the sonar data.")
    parser.add_argument("--placement", choices=sorted(OPTIMIZERS), default="none", help="where dropout goes")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--fold", type=int, default=0, help="the fold that is held out, from 0")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7, help="of the folds and of the network")
    return parser.parse_args(argv)


# Data


def split_rows(y: Floats, *, fold: int, folds: int, seed: int) -> tuple[Rows, Rows]:
    # The seed alone decides the folds, so all placements of one repeat are tested on the same rows.
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    train, test = list(splitter.split(y, y))[fold]
    return train, test


# Model


def build_model(placement: str) -> keras.Model:
    norm = None if placement == "none" else keras.constraints.MaxNorm(MAX_NORM)
    layers = [keras.Input((60,))]  # (batch, 60)
    if placement == "visible":
        layers.append(keras.layers.Dropout(DROPOUT_RATE))
    for units in (60, 30):  # (batch, 60), then (batch, 30)
        layers.append(keras.layers.Dense(units, activation="relu", kernel_constraint=norm))
        if placement == "hidden":
            layers.append(keras.layers.Dropout(DROPOUT_RATE))
    layers.append(keras.layers.Dense(1, activation="sigmoid"))  # (batch, 1)
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.SGD(**OPTIMIZERS[placement])
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)  # numpy.random.seed alone would leave the weights unseeded
    X, y = load_data()
    train, test = split_rows(y, fold=args.fold, folds=args.folds, seed=args.seed)
    X = standardise(X, train=train)

    model = build_model(args.placement)
    model.fit(
        X[train],
        y[train],
        epochs=args.epochs,
        batch_size=args.batch_size,
        # One look at the held-out fold, after the last epoch: the best of 300 looks would flatter it.
        validation_data=(X[test], y[test]),
        validation_freq=args.epochs,
        verbose=2,
    )

    loss, accuracy = model.evaluate(X[test], y[test], verbose=0)
    print(f"fold {args.fold} of {args.folds}: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(test)} rows")
    probability = model.predict(X[test], verbose=0)[:, 0]  # (rows,)
    save_predictions(test, y[test], probability)


def save_predictions(rows: Rows, truth: Floats, probability: Floats) -> None:
    table = np.column_stack([rows, truth, probability])  # (rows, 3)
    header = "row,mine,probability"
    np.savetxt("predictions.csv", table, fmt=["%d", "%d", "%.6f"], delimiter=",", header=header, comments="")


if __name__ == "__main__":
    main()
