"""Texts as lists of word numbers, from the files of `keras.datasets`, and as rows of zeros and ones.

`fetch` has Keras download a file once and check its sha256. A file of one's own in the same layout can be
read as well, which `keras.datasets.imdb.load_data` would refuse; so the few lines behind it stand here.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PATIENCE_S = 60  # with a network that does not answer
SHUFFLE_SEED = 113  # of keras.datasets: the files are sorted by label
START, UNKNOWN, BEFORE_WORDS = 1, 2, 3  # word 1, the most frequent one, gets number 4


def fetch(name: str, *, sha256: str) -> str:
    """Return where the file lies, downloaded if need be."""
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        return str(keras.utils.get_file(name, origin=ORIGIN + name, file_hash=sha256))
    except Exception as error:  # noqa: BLE001 - Keras raises nothing narrower
        sys.exit(
            f"{name} is not on this computer and could not be downloaded: {error}\n"
            f"Run this once with a network, put {name} into ~/.keras/datasets, or name a file with --data."
        )


def read(path: str) -> Arrays:
    """Return the arrays of a file. Lists of different lengths are pickled: read no file of a stranger."""
    with np.load(path, allow_pickle=True) as file:
        return dict(file)


def multi_hot(texts: Iterable[Sequence[int]], *, words: int) -> Floats:
    """Return a row for each text: 1 where it has the word, numbered as `keras.datasets` does."""
    rows = []
    for text in texts:
        numbers = np.asarray(text, dtype=int) + BEFORE_WORDS
        row = np.zeros(words, dtype="float32")
        row[[START, *np.where(numbers < words, numbers, UNKNOWN)]] = 1
        rows.append(row)
    return np.stack(rows)  # (texts, words)
