"""Did they like the film? A small network on 50,000 reviews, each a row of 10,000 zeros and ones.

One call does one of two things:

    python imdb.py --stage=search --seed=7

trains on all training reviews but 10,000 and watches those: after which epoch is their loss lowest?

    python imdb.py --stage=final --best_epoch=4 --seed=7

trains a fresh network on all 25,000 for that long, tests it once, saves it as `model.keras` in the current
folder, loads it again and judges the first test reviews.

Keras downloads the reviews once, as imdb.npz; with --data, any file of that layout is read instead.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from words import SHUFFLE_SEED, fetch, multi_hot, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from words import Arrays, Floats

Labels = npt.NDArray[np.float32]
Part = tuple["Floats", Labels]

# Setup

NAME = "imdb.npz"
SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
SHOWN = 5


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Find out how long to train on film reviews, or do it.")
    parser.add_argument("--stage", choices=("search", "final"), default="final")
    parser.add_argument("--epochs", type=int, default=20, help="of the search")
    parser.add_argument("--best_epoch", type=int, default=4, help="after which the final model stops")
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--words", type=int, default=10_000, help="the most frequent ones")
    parser.add_argument("--held_out", type=int, default=10_000, help="reviews that the search watches")
    parser.add_argument("--data", help="a file in the layout of imdb.npz; none: that file")
    parser.add_argument("--seed", type=int, default=7, help="of the network")
    return parser.parse_args(argv)


# Data


def load_data(path: str, *, words: int) -> tuple[Part, Part]:
    file = read(path)
    random = np.random.RandomState(SHUFFLE_SEED)
    return _load_part(file, "train", random, words=words), _load_part(file, "test", random, words=words)


def _load_part(file: Arrays, name: str, random: np.random.RandomState, *, words: int) -> Part:
    texts, labels = file[f"x_{name}"], file[f"y_{name}"]
    order = random.permutation(len(labels))
    # (25000, 10000), (25000,) of 0 and 1
    return multi_hot(texts[order], words=words), labels[order].astype("float32")


# Model


def build_model(words: int) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((words,)),  # (batch, 10000)
            keras.layers.Dense(16, activation="relu"),  # (batch, 16)
            keras.layers.Dense(16, activation="relu"),  # (batch, 16)
            keras.layers.Dense(1, activation="sigmoid"),  # (batch, 1)
        ]
    )
    model.compile("rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    train, test = load_data(args.data or fetch(NAME, sha256=SHA256), words=args.words)
    if args.stage == "search":
        search(*train, args)
    else:
        train_final(train, test, args)


def search(X: Floats, y: Labels, args: argparse.Namespace) -> None:
    held_out = args.held_out
    history = build_model(args.words).fit(
        X[held_out:],
        y[held_out:],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X[:held_out], y[:held_out]),
        verbose=2,
    )
    losses = history.history["val_loss"]
    print(f"lowest validation loss: {min(losses):.4f} after epoch {np.argmin(losses) + 1}")


def train_final(train: Part, test: Part, args: argparse.Namespace) -> None:
    # A fresh network on all reviews, those that the search watched too.
    model = build_model(args.words)
    model.fit(*train, epochs=args.best_epoch, batch_size=args.batch_size, verbose=2)
    loss, accuracy = model.evaluate(*test, batch_size=args.batch_size, verbose=0)
    print(f"test: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(test[1])} reviews")
    model.save("model.keras")

    probability = keras.saving.load_model("model.keras").predict(test[0][:SHOWN], verbose=0)[:, 0]  # (5,)
    for liked, truth in zip(probability, test[1][:SHOWN], strict=True):
        print(f"liked with probability {liked:.3f}, truth {truth:.0f}")


if __name__ == "__main__":
    main()
