"""Large batches or small ones? One network on the sonar data, its loss against epochs and against seconds.

One call trains it with one batch size on three quarters of the rows and watches the rest:

    python batch_size.py --batch_size=16 --seed=7
    python batch_size.py --batch_size=all

It leaves `curve.csv` in the current folder (epoch, seconds since training began, losses, accuracy) and draws
it into `curves.png`.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from returns import load_data, standardise
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Setup

HELD_OUT = 0.25
LOGGED = ("loss", "val_loss", "val_accuracy")


def read_batch_size(text: str) -> int | str:
    return text if text == "all" else int(text)


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one network on sonar with one batch size.")
    parser.add_argument("--batch_size", type=read_batch_size, default="all", help="rows, or all of them")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--learning_rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7, help="of the split and of the network")
    return parser.parse_args(argv)


# Data


def split_rows(y: Floats, *, seed: int) -> tuple[Rows, Rows]:
    # The seed alone decides, so all batch sizes of one repeat learn from the same rows.
    rows = np.arange(len(y))
    train, test = train_test_split(rows, test_size=HELD_OUT, stratify=y, random_state=seed)
    return train, test  # 156 and 52 rows


# Model


def build_model(learning_rate: float) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((60,)),  # (batch, 60)
            keras.layers.Dense(60, activation="relu"),  # (batch, 60)
            keras.layers.Dense(30, activation="relu"),  # (batch, 30)
            keras.layers.Dense(1, activation="sigmoid"),  # (batch, 1)
        ]
    )
    # The same rate for all: so a batch of one takes 156 steps where a batch of all takes one.
    optimizer = keras.optimizers.SGD(learning_rate)
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


class Clock(keras.callbacks.Callback):
    """Keeps when each epoch ended, in seconds since training began."""

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002 - Keras' form
        """Start the clock."""
        self.seconds: list[float] = []
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        """Look at it."""
        self.seconds.append(time.perf_counter() - self._begin)


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    X, y = load_data()
    train, test = split_rows(y, seed=args.seed)
    X = standardise(X, train=train)

    model, clock = build_model(args.learning_rate), Clock()
    history = model.fit(
        X[train],
        y[train],
        epochs=args.epochs,
        batch_size=len(train) if args.batch_size == "all" else args.batch_size,
        validation_data=(X[test], y[test]),
        callbacks=[clock],
        verbose=2,
    )

    loss, accuracy = model.evaluate(X[test], y[test], verbose=0)
    print(
        f"batches of {args.batch_size}: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(test)} rows, "
        f"{clock.seconds[-1]:.1f} s"
    )
    save_curve(history.history, clock.seconds, path=Path("curve.csv"))
    draw_curves(history.history, clock.seconds, path=Path("curves.png"))


def save_curve(history: Mapping[str, Sequence[float]], seconds: Sequence[float], *, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("epoch", "seconds", *LOGGED))
        columns = (history[name] for name in LOGGED)
        for epoch, row in enumerate(zip(seconds, *columns, strict=True), 1):
            writer.writerow((epoch, *(f"{value:.6f}" for value in row)))


def draw_curves(history: Mapping[str, Sequence[float]], seconds: Sequence[float], *, path: Path) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")  # no pyplot, so no window and no state
    epochs = range(1, len(seconds) + 1)
    for axes, (name, times) in zip(
        figure.subplots(1, 2, sharey=True), (("epochs", epochs), ("seconds", seconds)), strict=True
    ):
        axes.plot(times, history["loss"], label="train")
        axes.plot(times, history["val_loss"], label="held out")
        axes.set(xlabel=name, ylabel="loss")
        axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
