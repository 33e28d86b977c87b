"""What keeps a network from learning by heart? Five remedies and none, on few pictures of digits.

One call trains one network with one remedy on one fold, few rows on purpose, and tests it on all others:

    python train.py --remedy=dropout --fold=1 --folds=5 --seed=7

- none: two wide layers, far more weights than rows.
- l1, l2: a price on the weights of both layers.
- dropout: half of each layer's units fall silent at every step.
- early_stopping: training ends when the watched rows get no better, and the best epoch's weights are kept.
- augmentation: every picture is turned and shifted a little at every step.

A fifth of those few is watched after every epoch with every remedy, so that all learn from equally many.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

# Setup

REMEDIES = ("none", "l1", "l2", "dropout", "early_stopping", "augmentation")
UNITS = 256
WATCHED = 0.2
L1, L2 = 1e-4, 1e-3
DROPOUT_RATE = 0.5
PATIENCE = 5  # epochs
TURN, SHIFT = 0.03, 0.1  # of a full turn, 11 degrees; of the picture, less than a pixel


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one network on few digits with one remedy.")
    parser.add_argument("--remedy", choices=REMEDIES, default="none")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--fold", type=int, default=0, help="the fold that is learned from, from 0")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7, help="of the folds and of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Floats, Labels]:
    X, y = load_digits(return_X_y=True)  # (1797, 64) of 0..16, (1797,) of 0..9
    return (X / 16).reshape(-1, 8, 8, 1).astype("float32"), y  # (1797, 8, 8, 1) of 0..1


def split_rows(y: Labels, *, fold: int, folds: int, seed: int) -> tuple[Rows, Rows, Rows]:
    # The seed alone decides, so all remedies of one repeat share the rows.
    others, few = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))[fold]
    train, watched = train_test_split(few, test_size=WATCHED, stratify=y[few], random_state=seed)
    return train, watched, others


# Model


def build_model(remedy: str) -> keras.Model:
    regularizer = {"l1": keras.regularizers.L1(L1), "l2": keras.regularizers.L2(L2)}.get(remedy)
    layers = [keras.Input((8, 8, 1))]  # (batch, 8, 8, 1)
    if remedy == "augmentation":  # at work in fit alone
        layers += [keras.layers.RandomRotation(TURN), keras.layers.RandomTranslation(SHIFT, SHIFT)]
    layers.append(keras.layers.Flatten())  # (batch, 64)
    for _ in range(2):  # (batch, 256), twice
        layers.append(keras.layers.Dense(UNITS, activation="relu", kernel_regularizer=regularizer))
        if remedy == "dropout":
            layers.append(keras.layers.Dropout(DROPOUT_RATE))
    layers.append(keras.layers.Dense(10, activation="softmax"))  # (batch, 10)
    model = keras.Sequential(layers)
    # Cross-entropy as a metric too: `loss` has the price on weights in it, which would spoil the comparison.
    metrics = ["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy")]
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=metrics)
    return model


def make_callbacks(remedy: str) -> list[keras.callbacks.Callback]:
    if remedy != "early_stopping":
        return []
    return [keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)]


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    X, y = load_data()
    train, watched, test = split_rows(y, fold=args.fold, folds=args.folds, seed=args.seed)

    model = build_model(args.remedy)
    model.fit(
        X[train],
        y[train],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X[watched], y[watched]),
        callbacks=make_callbacks(args.remedy),
        verbose=2,
    )

    values = model.evaluate(X[test], y[test], verbose=0, return_dict=True)
    print(
        f"{args.remedy}, fold {args.fold} of {args.folds}: accuracy {values['accuracy']:.4f}, "
        f"cross-entropy {values['cross_entropy']:.4f} on {len(test)} rows"
    )


if __name__ == "__main__":
    main()
