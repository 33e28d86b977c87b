"""The data of a fast fit: arrays as tensors, and the order in which an epoch visits them.

Keras' own adapter of arrays checks and prepares what the user gave, so all its rules and errors hold; only
the iterator that it would make is another. The order of an epoch depends on seed, fit and epoch and on
nothing else: no random generator of the script is drawn from, and a fit that goes on at epoch 17 visits its
samples as it would have.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .launcher_run import Run

# More than this stays in the computer's memory, batch by batch on its way to a GPU, as in Keras.
_LARGE_BYTES = 1 << 28
_ADAPTERS = "keras.src.trainers.data_adapters"


class Order:
    """The order of the samples in each epoch of one fit.

    Args:
        key: what the order is drawn from; none keeps the order of the arrays.
    """

    def __init__(self, *key: int) -> None:
        self.is_shuffled = bool(key)
        self._key = key

    def draw(self, epoch: int, count: int) -> Any:
        """Return the indexes of the samples, int64."""
        numpy: Any = sys.modules["numpy"]
        if not self.is_shuffled:
            return numpy.arange(count, dtype="int64")
        return numpy.random.default_rng([*self._key, epoch]).permutation(count)


class Batches:
    """The samples of a fit or an evaluate, cut into batches as Keras cuts them.

    Attributes:
        tensors: what a step takes, all samples along the first axis.
        steps: how many batches an epoch has; the last may be smaller.
        is_watched: a tensor, whether a loss that is no number ends the epoch.
        last_step: the index of the last batch that was trained.
        show: is told of the batches that were trained while an epoch goes on.
    """

    def __init__(self, tensors: Any, *, count: int, size: int, order: Order) -> None:
        self._tensorflow: Any = sys.modules["tensorflow"]
        self.tensors, self.steps = tensors, -(-count // size)
        self.last_step = 0
        self.is_watched = self._tensorflow.constant(False)
        self.show: Callable[[int, Any], None] | None = None
        self._count, self._size, self._order = count, size, order
        self._place = find_place(self._tensorflow.nest.flatten(tensors))
        self._epoch = 0
        self._indexes: Any = None

    def begin_epoch(self, epoch: int) -> None:
        """Say which epoch comes."""
        if self._order.is_shuffled:
            self._epoch, self._indexes = epoch, None

    def watch_loss(self) -> None:
        """Let a loss that is no number end the epoch."""
        self.is_watched = self._tensorflow.constant(True)

    def indexes(self) -> Any:
        """Return the order of the samples in this epoch."""
        if self._indexes is None:
            self._indexes = self._tensorflow.constant(self._order.draw(self._epoch, self._count), "int64")
        return self._indexes

    def trained(self, step: int, logs: Any) -> None:
        """Say how far the epoch has come."""
        self.last_step = step
        if self.show is not None and step + 1 < self.steps:
            self.show(step, logs)

    def specs(self) -> Any:
        """Return the kind of `tensors`, for any number of samples."""
        return self._map(lambda each: self._tensorflow.TensorSpec([None, *each.shape[1:]], each.dtype))

    def batch_specs(self) -> Any:
        """Return the kind of one batch: as in Keras, its size is only known where all have the same."""
        return self._map(lambda each: self._tensorflow.TensorSpec([self._known, *each.shape[1:]], each.dtype))

    def describe(self) -> str:
        """Return what batches have in common that the same function serves."""
        return f"{self._size} {self.batch_specs()}"

    def take(self, step: int) -> Any:
        """Return one batch."""
        return self.gather(self.tensors, self.indexes(), self._tensorflow.constant(step, "int64"))

    def gather(self, tensors: Any, order: Any, step: Any) -> Any:
        """Return one batch of these tensors, also within a graph."""
        count = self._tensorflow.shape(order, "int64")[0]
        begin = step * self._size
        indexes = order[begin : self._tensorflow.minimum(begin + self._size, count)]
        indexes.set_shape([self._known])
        gather = self._tensorflow.gather
        with self._tensorflow.device(self._place):
            return self._tensorflow.nest.map_structure(lambda each: gather(each, indexes, axis=0), tensors)

    @property
    def _known(self) -> int | None:
        return None if self._count % self._size else self._size

    def _map(self, function: Callable[[Any], Any]) -> Any:
        return self._tensorflow.nest.map_structure(function, self.tensors)


class Epoch:
    """What Keras takes for the iterator of an epoch: it yields nothing, but knows the samples."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __iter__(self) -> Epoch:
        """Keras asks for a new iterator each epoch, and for one more at its end."""
        return Epoch(self.batches)

    def __next__(self) -> None:
        """Nobody goes through it step by step."""
        raise StopIteration


def make_adapter(
    data: tuple[Any, Any, Any], *, batch_size: int | None, class_weight: Any, order: Order
) -> Any:
    """Return an adapter of x, y and weights for Keras; None where not all are plain arrays.

    Raises:
        Exception: whatever Keras has against them. It will say so again when it is asked the plain way.
    """
    adapters = import_module(f"{_ADAPTERS}.array_data_adapter")
    x, y, sample_weight = data
    if not adapters.can_convert_arrays(data):
        return None
    own = type("FastAdapter", (adapters.ArrayDataAdapter,), dict(_METHODS))
    adapter: Any = own(x, y, sample_weight=sample_weight, batch_size=batch_size, class_weight=class_weight)
    tensors = _to_tensors(adapter._inputs)  # noqa: SLF001  # what Keras would make a tf.data pipeline of
    if tensors is None:
        return None
    adapter.batches = Batches(tensors, count=adapter._num_samples, size=adapter.batch_size, order=order)  # noqa: SLF001
    adapter._inputs = ()  # noqa: SLF001  # once is enough in memory
    return adapter


def split_validation(given: Mapping[str, Any]) -> tuple[tuple[Any, Any, Any], Any]:
    """Return what a fit trains on, as x, y and weights, and its validation data, as Keras would take them."""
    train = (given["x"], given["y"], given["sample_weight"])
    validation = given["validation_data"]
    if validation is None and given["validation_split"]:
        slicing = import_module(f"{_ADAPTERS}.array_slicing")
        train, validation = slicing.train_validation_split(train, validation_split=given["validation_split"])
    return train, validation


def _to_tensors(inputs: Any) -> Any:
    keras, tensorflow = sys.modules["keras"], sys.modules["tensorflow"]
    slicing = import_module(f"{_ADAPTERS}.array_slicing")
    arrays = slicing.convert_to_sliceable(inputs, target_backend="tensorflow")
    flat, kinds = keras.tree.flatten(arrays), (sys.modules["numpy"].ndarray, tensorflow.Tensor)
    if not all(isinstance(array, kinds) for array in flat):
        return None
    with tensorflow.device(find_place(flat)):
        return keras.tree.map_structure(tensorflow.convert_to_tensor, keras.tree.lists_to_tuples(arrays))


def find_place(arrays: Sequence[Any]) -> str | None:
    """Return where arrays have to lie; None leaves that to TensorFlow."""
    kinds = ((array, array.dtype) for array in arrays)  # NumPy's or TensorFlow's
    size = sum(math.prod(a.shape) * (t.itemsize if hasattr(t, "itemsize") else t.size) for a, t in kinds)
    return "CPU:0" if size > _LARGE_BYTES else None


def shuffled(run: Run, *, fit: int) -> Order:
    """Return an order that is another in each epoch, by Keras' seed; without one, by what the run is called.

    So without any seed it is another in each run, but the same in each attempt of a run.
    """
    state = import_module("keras.src.backend.common.global_state")
    seed = state.get_global_attribute("global_random_seed")
    name = "/".join(run.folder.split(os.sep)[-3:])  # the same at home and on a machine
    own = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8]
    return Order(int.from_bytes(own, "big") if seed is None else seed, fit)


def _announce(self: Any, model: Any) -> None:
    """Let the next iterator that Keras makes for this model go through all batches in one execution."""
    self.announced = (model, model.steps_per_execution)
    model.steps_per_execution = self.batches.steps


def _withdraw(self: Any) -> None:
    """Leave the model as it was."""
    if self.announced is not None:
        model, model.steps_per_execution = self.announced
        self.announced = None


def _get_tf_dataset(self: Any) -> Epoch:
    """Return what Keras takes for a dataset. It has read steps_per_execution by now."""
    self.withdraw()
    return Epoch(self.batches)


_METHODS = {
    "announced": None,
    "announce": _announce,
    "withdraw": _withdraw,
    "get_tf_dataset": _get_tf_dataset,
}
