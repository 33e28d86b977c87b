"""What is the news about? A small network on 11,228 newswires of 46 topics, each 10,000 zeros and ones.

One call does one of two things:

    python reuters.py --stage=search --loss=sparse --seed=7

trains on all training newswires but 1,000 and watches those: after which epoch is their loss lowest?

    python reuters.py --stage=final --best_epoch=9 --seed=7

trains a fresh network on all 8,982 for that long, tests it once, saves it as `model.keras` in the current
folder, loads it again and names the topics of the first test newswires.

The labels are rows of zeros and a one (categorical) or numbers (sparse): the same loss either way.
Keras downloads the newswires once, as reuters.npz; with --data, any file of that layout is read instead.
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

    from words import Floats

Labels = npt.NDArray[np.int64]
Part = tuple["Floats", Labels]

# Setup

NAME = "reuters.npz"
SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
TOPICS = keras.datasets.reuters.get_label_names()  # 46 names
TEST = 0.2  # as keras.datasets splits the file
LOSSES = {"categorical": "categorical_crossentropy", "sparse": "sparse_categorical_crossentropy"}
SHOWN = 5


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Find out how long to train on newswires, or do it.")
    parser.add_argument("--stage", choices=("search", "final"), default="final")
    parser.add_argument("--loss", choices=sorted(LOSSES), default="categorical")
    parser.add_argument("--epochs", type=int, default=20, help="of the search")
    parser.add_argument("--best_epoch", type=int, default=9, help="after which the final model stops")
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--words", type=int, default=10_000, help="the most frequent ones")
    parser.add_argument("--held_out", type=int, default=1_000, help="newswires that the search watches")
    parser.add_argument("--data", help="a file in the layout of reuters.npz; none: that file")
    parser.add_argument("--seed", type=int, default=7, help="of the network")
    return parser.parse_args(argv)


# Data


def load_data(path: str, *, words: int) -> tuple[Part, Part]:
    file = read(path)
    order = np.random.RandomState(SHUFFLE_SEED).permutation(len(file["y"]))
    X, y = multi_hot(file["x"][order], words=words), file["y"][order]  # (11228, 10000), (11228,) of 0..45
    rows = int(len(y) * (1 - TEST))
    return (X[:rows], y[:rows]), (X[rows:], y[rows:])  # 8,982 and 2,246 rows


def encode_labels(y: Labels, *, loss: str) -> npt.NDArray[np.generic]:
    return y if loss == "sparse" else keras.utils.to_categorical(y, len(TOPICS))  # (rows,) or (rows, 46)


# Model


def build_model(words: int, *, loss: str) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((words,)),  # (batch, 10000)
            keras.layers.Dense(64, activation="relu"),  # (batch, 64): fewer than 46 would lose topics
            keras.layers.Dense(64, activation="relu"),  # (batch, 64)
            keras.layers.Dense(len(TOPICS), activation="softmax"),  # (batch, 46)
        ]
    )
    model.compile("rmsprop", loss=LOSSES[loss], metrics=["accuracy"])
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
    labels, held_out = encode_labels(y, loss=args.loss), args.held_out
    history = build_model(args.words, loss=args.loss).fit(
        X[held_out:],
        labels[held_out:],
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_data=(X[:held_out], labels[:held_out]),
        verbose=2,
    )
    losses = history.history["val_loss"]
    print(f"lowest validation loss: {min(losses):.4f} after epoch {np.argmin(losses) + 1}")


def train_final(train: Part, test: Part, args: argparse.Namespace) -> None:
    # On all training rows; the tutorial's final model trains on the part that its search had left.
    X, y = train
    X_test, y_test = test
    model = build_model(args.words, loss=args.loss)
    labels = encode_labels(y, loss=args.loss)
    model.fit(X, labels, epochs=args.best_epoch, batch_size=args.batch_size, verbose=2)
    loss, accuracy = model.evaluate(
        X_test, encode_labels(y_test, loss=args.loss), batch_size=args.batch_size, verbose=0
    )
    print(f"test: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(y_test)} newswires")
    model.save("model.keras")

    loaded = keras.saving.load_model("model.keras")
    topics = loaded.predict(X_test[:SHOWN], verbose=0).argmax(axis=1)  # (5,)
    for topic, truth in zip(topics, y_test[:SHOWN], strict=True):
        print(f"predicted {TOPICS[topic]}, truth {TOPICS[truth]}")


if __name__ == "__main__":
    main()
