"""What does a house cost? A small network, judged by k-fold, then trained on all 404 rows and tested.

With a fold, one call trains one network on the other folds and validates it on that one after every epoch:

    python train.py --fold=2 --folds=4 --epochs=500 --seed=7

It leaves `curve.csv` in the current folder, the validation error by epoch, raw and smoothed, which tells how
long the final model should train. Without a fold it trains that final model on all 404 rows, tests it once on
the other 102, saves it as `final.keras`, loads it again and predicts the first test rows:

    python train.py --epochs=80 --batch_size=16
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

DATA = Path(__file__).parent / "data" / "boston-housing.csv"
DATA_SEED = 113  # of keras.datasets.boston_housing: the same 404 rows for training, the same 102 for the test
TRAIN_ROWS = 404
DROPPED = 10  # the first epochs, far above the rest
SMOOTHING = 0.9
SHOWN = 5


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a network on house prices; validate or use it.")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--fold", type=int, help="the fold held out, from 0; none: the final model")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7, help="of the folds and of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Floats, Floats, Floats, Floats]:
    table = np.loadtxt(DATA, delimiter=",", skiprows=1, dtype="float32")  # (506, 14)
    table = table[np.random.RandomState(DATA_SEED).permutation(len(table))]  # as Keras does
    train, test = table[:TRAIN_ROWS], table[TRAIN_ROWS:]  # (404, 14), (102, 14)
    return train[:, :13], train[:, 13], test[:, :13], test[:, 13]


def split_rows(X: Floats, *, fold: int, folds: int, seed: int) -> tuple[Rows, Rows]:
    # Shuffled; the tutorial's folds are four slices of the table, which are the same every time.
    train, validation = list(KFold(folds, shuffle=True, random_state=seed).split(X))[fold]
    return train, validation


def standardise(train: Floats, other: Floats) -> tuple[Floats, Floats]:
    # Fitted on these training rows alone. The tutorial fits it once, before it makes the folds.
    scaler = StandardScaler().fit(train)
    return scaler.transform(train).astype("float32"), scaler.transform(other).astype("float32")


# Model


def build_model() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((13,)),  # (batch, 13)
            keras.layers.Dense(64, activation="relu"),  # (batch, 64)
            keras.layers.Dense(64, activation="relu"),  # (batch, 64)
            keras.layers.Dense(1),  # (batch, 1), in thousands of dollars
        ]
    )
    model.compile("rmsprop", loss="mse", metrics=["mae"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    if args.fold is None:
        train_final(args)
    else:
        validate_on_fold(args)


def validate_on_fold(args: argparse.Namespace) -> None:
    X, y, _, _ = load_data()
    train, validation = split_rows(X, fold=args.fold, folds=args.folds, seed=args.seed)
    X_train, X_validation = standardise(X[train], X[validation])
    model = build_model()
    history = model.fit(
        X_train,
        y[train],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X_validation, y[validation]),
        verbose=2,
    )
    curve = np.array(history.history["val_mae"])  # (epochs,); the tutorial asks for a name that is not there
    print(f"fold {args.fold} of {args.folds}: last mean absolute error {curve[-1]:.3f}")
    save_curve(curve)


def save_curve(curve: npt.NDArray[np.float64]) -> None:
    smoothed = smooth(curve[DROPPED:])
    if len(smoothed):
        print(f"lowest when smoothed: {smoothed.min():.3f} after epoch {DROPPED + smoothed.argmin() + 1}")
    epochs = np.arange(DROPPED, len(curve)) + 1
    table = np.column_stack([epochs, curve[DROPPED:], smoothed])  # (epochs - 10, 3)
    header = "epoch,val_mae,smoothed"
    np.savetxt("curve.csv", table, fmt=["%d", "%.6f", "%.6f"], delimiter=",", header=header, comments="")


def smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Follow the values by an exponential moving average; the first stays as it is."""
    smoothed = np.array(values)
    for index in range(1, len(smoothed)):
        smoothed[index] = SMOOTHING * smoothed[index - 1] + (1 - SMOOTHING) * values[index]
    return smoothed


def train_final(args: argparse.Namespace) -> None:
    X, y, X_test, y_test = load_data()
    X, X_test = standardise(X, X_test)  # centred and divided; the tutorial's test rows lack the division
    model = build_model()
    model.fit(X, y, epochs=args.epochs, batch_size=args.batch_size, verbose=2)
    _, mae = model.evaluate(X_test, y_test, verbose=0)
    print(f"final model: mean absolute error {mae:.3f} on {len(y_test)} test rows")
    model.save("final.keras")

    prices = keras.saving.load_model("final.keras").predict(X_test[:SHOWN], verbose=0)[:, 0]  # (5,)
    for price, truth in zip(prices, y_test[:SHOWN], strict=True):
        print(f"predicted {price:5.1f}, truth {truth:5.1f} thousand dollars")


if __name__ == "__main__":
    main()
