"""Make the variables of a model's optimizer and metrics before its step is traced.

TensorFlow traces a function once more where the first time made variables: a third of a second of every
process for a small network. Keras has a way to make them without, which its other backends go. Nothing is
drawn from a random generator, and the layers, whose weights are, have all been built by then.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .launcher_fast_data import Batches


def build_early(model: Any, batches: Batches) -> None:
    """Make them, where all layers are Keras' own; else tracing does, as it would have."""
    with contextlib.suppress(Exception):  # tracing says better what is wrong
        layers = list(model._flatten_layers())  # noqa: SLF001
        if all(layer.built and type(layer).__module__.startswith("keras.") for layer in layers):
            model._symbolic_build(data_batch=batches.batch_specs())  # noqa: SLF001
