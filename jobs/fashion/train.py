"""What do they wear? A network of two hidden layers on Fashion-MNIST.

One call trains one network, tests it once, saves it as `model.keras` in the current folder, loads it again
and names what the first test pictures show:

    python train.py --epochs=20 --seed=7

Keras downloads the data once, into ~/.keras/datasets/fashion-mnist. It can also be put there by hand: the
Debian package dataset-fashion-mnist brings the same four files.
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import sys
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Part = tuple[Bytes, Bytes]

# Setup

NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
# Of all pixels and labels: Keras checks this data set not at all.
SHA256 = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f"
VALIDATION = 0.1  # of the training rows
SHOWN = 5
PATIENCE_S = 60  # with a network that does not answer


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train and test one network on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=7, help="of the network")
    return parser.parse_args(argv)


# Data


def load_data() -> tuple[Part, Part]:
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        train, test = keras.datasets.fashion_mnist.load_data()  # (60000, 28, 28), (10000, 28, 28) of 0..255
    except Exception as error:  # noqa: BLE001 - Keras raises nothing narrower
        sys.exit(
            f"Fashion-MNIST is not on this computer and could not be downloaded: {error}\n"
            "Run this once with a network, or put its four .gz files (on Debian: dataset-fashion-mnist) into "
            "~/.keras/datasets/fashion-mnist."
        )
    if digest(*train, *test) != SHA256:
        sys.exit("Fashion-MNIST is damaged. Remove ~/.keras/datasets/fashion-mnist and run this again.")
    return train, test


def digest(*arrays: Bytes) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def flatten(pictures: Bytes) -> Floats:
    return pictures.reshape(len(pictures), -1).astype("float32") / 255  # (rows, 784) of 0..1


# Model


def build_model(learning_rate: float) -> keras.Model:
    # Biases start at zero, as is Keras' default; the tutorial draws them as it draws the weights.
    model = keras.Sequential(
        [
            keras.Input((784,)),  # (batch, 784)
            keras.layers.Dense(256, activation="relu"),  # (batch, 256)
            keras.layers.Dense(128, activation="relu"),  # (batch, 128)
            keras.layers.Dense(len(NAMES), activation="softmax"),  # (batch, 10)
        ]
    )
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    (train, y_train), (test, y_test) = load_data()
    X_train, X_test = flatten(train), flatten(test)

    model = build_model(args.learning_rate)
    # fit shuffles, and keeps the last, partial batch. The tutorial cuts the same batches in every epoch and
    # drops what is left over, of the test rows too.
    model.fit(
        X_train,
        y_train,
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_split=VALIDATION,
        verbose=2,
    )

    loss, accuracy = model.evaluate(X_test, y_test, verbose=0)  # once, on all 10,000
    print(f"{args.epochs} epochs: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(y_test)} test rows")
    use_model(model, X_test[:SHOWN], truth=y_test[:SHOWN])


def use_model(model: keras.Model, pictures: Floats, *, truth: Bytes) -> None:
    model.save("model.keras")
    classes = keras.saving.load_model("model.keras").predict(pictures, verbose=0).argmax(axis=1)  # (rows,)
    for predicted, true in zip(classes, truth, strict=True):
        print(f"predicted {NAMES[predicted]}, truth {NAMES[true]}")


if __name__ == "__main__":
    main()
