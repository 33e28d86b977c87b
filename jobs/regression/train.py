"""Three numbers at once: a network with three outputs, judged by k-fold, then trained on everything and used.

With a fold, one call trains one network on the other folds and tests it on that one:

    python train.py --fold=3 --folds=10 --seed=7

Without a fold it trains the final model on all rows, saves it as `final.keras` in the current folder, loads
it again and predicts a row that it has never seen:

    python train.py
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

DATA_SEED = 2  # the published data; --seed changes folds and networks, never the data


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a network with three outputs; test it or use it.")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--fold", type=int, help="the fold held out, from 0; none: the final model")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the folds and of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Floats, Floats, Floats]:
    X, y, weights = make_regression(
        n_samples=1000, n_features=10, n_informative=5, n_targets=3, coef=True, random_state=DATA_SEED
    )
    # (1000, 10), (1000, 3), and (10, 3): y is exactly X @ weights
    return X.astype("float32"), y.astype("float32"), weights.astype("float32")


def draw_new_row(weights: Floats) -> tuple[Floats, Floats]:
    # From the same law as the data, so its truth is known. The tutorial's "new" row is one it trained on.
    row = np.random.default_rng(DATA_SEED).standard_normal((1, 10), dtype="float32")  # (1, 10)
    return row, row @ weights  # (1, 10), (1, 3)


def split_rows(X: Floats, *, fold: int, folds: int, seed: int) -> tuple[Rows, Rows]:
    train, test = list(KFold(folds, shuffle=True, random_state=seed).split(X))[fold]
    return train, test


# Model


def build_model() -> keras.Model:
    # The folds and the final model share it; the tutorial's final one starts its output layer differently.
    model = keras.Sequential(
        [
            keras.Input((10,)),  # (batch, 10), standard normal already: nothing to scale
            keras.layers.Dense(20, activation="relu", kernel_initializer="he_uniform"),  # (batch, 20)
            keras.layers.Dense(3),  # (batch, 3)
        ]
    )
    model.compile("adam", loss="mae")
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    if args.fold is None:
        train_final(args)
    else:
        test_on_fold(args)


def test_on_fold(args: argparse.Namespace) -> None:
    X, y, _ = load_data()
    train, test = split_rows(X, fold=args.fold, folds=args.folds, seed=args.seed)
    model = build_model()
    model.fit(
        X[train],
        y[train],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X[test], y[test]),
        validation_freq=args.epochs,  # one look at the held-out fold, after the last epoch
        verbose=2,
    )
    mae = model.evaluate(X[test], y[test], verbose=0)
    print(f"fold {args.fold} of {args.folds}: mean absolute error {mae:.3f} on {len(test)} rows")


def train_final(args: argparse.Namespace) -> None:
    X, y, weights = load_data()
    model = build_model()
    model.fit(X, y, epochs=args.epochs, batch_size=args.batch_size, verbose=2)
    model.save("final.keras")

    loaded = keras.saving.load_model("final.keras")
    row, truth = draw_new_row(weights)
    prediction = loaded.predict(row, verbose=0)  # (1, 3)
    for name, values in (("predicted", prediction), ("truth", truth)):
        print(f"{name:>9}: " + " ".join(f"{value:8.2f}" for value in values[0]))


if __name__ == "__main__":
    main()
