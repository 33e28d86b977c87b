"""A calcification among 43 spots? A network on 11,183 rows of which 260 are positive.

With an evaluation, one call trains one network and judges it on rows that it has not seen:

    python train.py --evaluation=folds --fold=3 --folds=10 --seed=7

- split: a stratified half is held out, and its curves are drawn into `curves.png` in the current folder.
- folds: stratified k-fold, this call's fold held out.

Without one it trains the final model on all rows, saves it as `final.keras`, loads it again and judges a row:

    python train.py

scikit-learn downloads the data once from OpenML (number 310), checks its md5 and keeps it in
~/scikit_learn_data, or where SCIKIT_LEARN_DATA says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.datasets import fetch_openml
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

OPENML_NUMBER = 310
CLASSES = ("-1", "1")  # the network's 0 and 1
HELD_OUT = 0.5
THRESHOLD = 0.5


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a network on mammography; judge it or use it.")
    parser.add_argument("--evaluation", choices=("split", "folds"), help="none: the final model")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--fold", type=int, default=0, help="which fold, or which split, from 0")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7, help="of the split and of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Floats, Floats]:
    try:
        X, labels = fetch_openml(data_id=OPENML_NUMBER, as_frame=False, return_X_y=True, parser="liac-arff")
    except (OSError, ValueError) as error:  # no network, or not the file that OpenML's md5 tells of
        sys.exit(
            f"mammography is not on this computer and could not be downloaded from OpenML: {error}\n"
            "Run this once with a network, or bring scikit_learn_data from a computer that has it."
        )
    # (11183, 6), of mean 0 and deviation 1 as published: nothing to scale. (11183,), 1 is a calcification.
    return X.astype("float32"), (labels == CLASSES[1]).astype("float32")


def split_rows(y: Floats, *, evaluation: str, fold: int, folds: int, seed: int) -> tuple[Rows, Rows]:
    if evaluation == "split":  # half, as the tutorial does; its text says a third
        splitter = StratifiedShuffleSplit(folds, test_size=HELD_OUT, random_state=seed)
    else:  # shuffled: without it scikit-learn refuses the seed that the tutorial gives
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    train, test = list(splitter.split(y, y))[fold]
    return train, test


# Model


def build_model() -> keras.Model:
    # The judged and the final one; the tutorial promises dropout for the final one and has none.
    model = keras.Sequential(
        [
            keras.Input((6,)),  # (batch, 6)
            keras.layers.Dense(50, activation="relu", kernel_initializer="he_normal"),  # (batch, 50)
            keras.layers.Dense(1, activation="sigmoid"),  # (batch, 1)
        ]
    )
    # Accuracy alone, as published, hides much: who always says "-1" is right in .977 of all rows.
    metrics = [
        keras.metrics.BinaryAccuracy(name="accuracy"),
        keras.metrics.Recall(name="recall"),
        keras.metrics.AUC(name="auc"),
        keras.metrics.AUC(curve="PR", name="pr_auc"),
    ]
    model.compile("adam", loss="binary_crossentropy", metrics=metrics)
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    # Another network for each fold or split.
    keras.utils.set_random_seed(args.seed * args.folds + args.fold)
    X, y = load_data()
    if args.evaluation is None:
        train_final(X, y, args)
    else:
        judge(X, y, args)


def judge(X: Floats, y: Floats, args: argparse.Namespace) -> None:
    split = {"evaluation": args.evaluation, "fold": args.fold, "folds": args.folds, "seed": args.seed}
    train, test = split_rows(y, **split)
    model = build_model()
    history = model.fit(
        X[train],
        y[train],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X[test], y[test]),
        validation_freq=1 if args.evaluation == "split" else args.epochs,  # folds draw no curve
        verbose=2,
    )
    values = model.evaluate(X[test], y[test], verbose=0, return_dict=True)
    print(
        f"{args.evaluation} {args.fold}: "
        + ", ".join(f"{name} {values[name]:.4f}" for name in sorted(values))
    )
    if args.evaluation == "split":
        draw_curves(history.history, path=Path("curves.png"))


def draw_curves(history: Mapping[str, Sequence[float]], *, path: Path) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")  # no pyplot, so no window and no state
    for axes, name in zip(figure.subplots(1, 2), ("loss", "recall"), strict=True):
        axes.plot(history[name], label="train")
        axes.plot(history[f"val_{name}"], label="held out")
        axes.set(xlabel="epoch", ylabel=name)
        axes.legend()
    figure.savefig(path)


def train_final(X: Floats, y: Floats, args: argparse.Namespace) -> None:
    model = build_model()
    model.fit(X, y, epochs=args.epochs, batch_size=args.batch_size, verbose=2)
    model.save("final.keras")

    loaded = keras.saving.load_model("final.keras")
    probability = float(loaded.predict(X[:1], verbose=0)[0, 0])
    predicted, truth = CLASSES[probability > THRESHOLD], CLASSES[int(y[0])]
    print(f"the first row: '{predicted}' (probability of '1': {probability:.2g}), truth '{truth}'")


if __name__ == "__main__":
    main()
