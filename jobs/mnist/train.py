"""Which digit? One hidden layer of 512 units, the first network of many tutorials.

One call trains one network, tests it once, saves it as `model.keras` in the current folder, loads it again
and reads one test picture:

    python train.py --data=mnist --seed=7

- mnist: 70,000 pictures of 28 x 28, which Keras downloads once and checks.
- digits: 1,797 pictures of 8 x 8 that scikit-learn brings, so no network is needed.
"""

from __future__ import annotations

import argparse
import socket
import sys
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Part = tuple[Floats, Labels]

# Setup

CLASSES = 10
VALIDATION = 0.1  # of the training rows; the tutorial watches the test rows instead
TEST = 0.2  # of digits; mnist brings its own
PATIENCE_S = 60  # with a network that does not answer


def read_parameters(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train and test one network on pictures of digits.")
    parser.add_argument("--data", choices=("digits", "mnist"), default="mnist")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=7, help="of the network, and of the test rows of digits")
    return parser.parse_args(argv)


# Data


def load_data(data: str, *, seed: int) -> tuple[Part, Part]:
    if data == "mnist":
        (X_train, y_train), (X_test, y_test) = load_mnist()  # (60000, 28, 28), (10000, 28, 28) of 0..255
        return (flatten(X_train, white=255), y_train), (flatten(X_test, white=255), y_test)
    X, y = load_digits(return_X_y=True)  # (1797, 64) of 0..16, (1797,)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=TEST, stratify=y, random_state=seed)
    return (flatten(X_train, white=16), y_train), (flatten(X_test, white=16), y_test)


def load_mnist() -> tuple[Part, Part]:
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        loaded: tuple[Part, Part] = keras.datasets.mnist.load_data()  # Keras knows the file's sha256
    except Exception as error:  # noqa: BLE001 - Keras raises nothing narrower
        sys.exit(
            f"MNIST is not on this computer and could not be downloaded: {error}\n"
            "Run this once with a network, put mnist.npz into ~/.keras/datasets, or take --data=digits."
        )
    return loaded


def flatten(pictures: npt.NDArray[np.generic], *, white: int) -> Floats:
    return pictures.reshape(len(pictures), -1).astype("float32") / white  # (rows, pixels) of 0..1


# Model


def build_model(pixels: int) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((pixels,)),  # (batch, 784), or (batch, 64) for digits
            keras.layers.Dense(512, activation="relu"),  # (batch, 512)
            keras.layers.Dense(CLASSES, activation="softmax"),  # (batch, 10)
        ]
    )
    model.compile("rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


# Train and evaluate


def main(argv: Sequence[str] | None = None) -> None:
    args = read_parameters(argv)
    keras.utils.set_random_seed(args.seed)
    (X_train, y_train), (X_test, y_test) = load_data(args.data, seed=args.seed)

    model = build_model(X_train.shape[1])
    model.fit(
        X_train,
        keras.utils.to_categorical(y_train, CLASSES),  # (rows, 10)
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation_split=VALIDATION,
        verbose=2,
    )

    loss, accuracy = model.evaluate(X_test, keras.utils.to_categorical(y_test, CLASSES), verbose=0)
    print(f"{args.data}: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(y_test)} test rows")
    use_model(model, X_test[:1], truth=int(y_test[0]))


def use_model(model: keras.Model, picture: Floats, *, truth: int) -> None:
    model.save("model.keras")
    probability = keras.saving.load_model("model.keras").predict(picture, verbose=0)[0]  # (10,)
    print(f"the first test picture: {probability.argmax()} ({probability.max():.3f}), truth {truth}")


if __name__ == "__main__":
    main()
