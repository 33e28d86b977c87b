"""All that a fit depends on between two epochs: taken as it stands, and put back into a fit that begins.

A state is taken when an epoch begins, before any callback of the user's hears of it, and put back at the
very same point, so what Keras does before and after need not be known.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .launcher_checkpoint_file import Checkpoint
from .launcher_checkpoint_plain import decode, decode_attributes, encode, encode_attributes
from .launcher_checkpoint_prints import is_arrays
from .launcher_checkpoint_random import keep_random, put_random_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GROUPS = ("weights", "optimizer", "metrics")
_SAMPLES = ("x", "y", "sample_weight")


def take_state(model: Any, *, callbacks: Sequence[Any], ours: Mapping[str, Any]) -> Checkpoint:
    """Take the state of model, callbacks and random generators, copied out of what training changes.

    Args:
        callbacks: in their order; the state of each is kept as far as it is plain.
        ours: objects of launcher's own, whose attributes are kept, by name.
    """
    arrays: list[Any] = []
    facts = {
        "variables": {group: _copy(found, arrays) for group, found in _variables(model).items()},
        "stop_training": bool(model.stop_training),
        "callbacks": [[type(each).__name__, encode_attributes(each, arrays)] for each in callbacks],
        "ours": {name: encode_attributes(each, arrays) for name, each in ours.items()},
        "random": encode(keep_random(), arrays),
    }
    return Checkpoint(facts, arrays)


def put_state_back(
    model: Any, state: Checkpoint, *, callbacks: Sequence[Any], ours: Mapping[str, Any]
) -> None:
    """Put a state back into a model that `fits` it."""
    facts, arrays = state
    for group, found in _variables(model).items():
        numbers = facts["variables"][group]
        if len(numbers) == len(found):
            for variable, number in zip(found, numbers, strict=True):
                variable.assign(arrays[number])
    model.stop_training = facts["stop_training"]
    for callback, (_, kept) in zip(callbacks, facts["callbacks"], strict=True):
        decode_attributes(callback, kept, arrays)
    for name, each in ours.items():
        decode_attributes(each, facts["ours"][name], arrays)
    put_random_back(decode(facts["random"], arrays))


def build(model: Any, arguments: Mapping[str, Any]) -> None:
    """Make the variables of a model and its optimizer, as its first batch would. Draws random numbers.

    Raises:
        ValueError: that takes samples which can't be looked at twice.
    """
    if not all(layer.built for layer in model._flatten_layers()):  # noqa: SLF001  # `built` is true too early
        _build_layers(model, {name: arguments.get(name) for name in _SAMPLES}, arguments.get("batch_size"))
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _build_layers(model: Any, samples: Mapping[str, Any], batch_size: int | None) -> None:
    if not is_arrays(list(samples.values())):
        raise ValueError("a look at its samples would use them up")
    iterators = sys.modules["keras.src.trainers.epoch_iterator"]
    batches = iterators.EpochIterator(**samples, batch_size=batch_size or 32, shuffle=False)
    model._symbolic_build(iterator=batches)  # noqa: SLF001  # what fit itself does, on most backends


def fits(model: Any, state: Checkpoint, *, callbacks: Sequence[Any]) -> bool:
    """Tell whether a state is one of this model, which is built, and of these callbacks."""
    facts, arrays = state
    variables = _variables(model)
    names = [type(each).__name__ for each in callbacks]
    return [name for name, _ in facts["callbacks"]] == names and all(
        [tuple(each.shape) for each in variables[group]]
        == [arrays[number].shape for number in facts["variables"][group]]
        for group in _GROUPS[:2]  # metrics begin anew with each epoch
    )


def _variables(model: Any) -> dict[str, list[Any]]:
    weights = [*model.trainable_variables, *model.non_trainable_variables]
    optimizer = [] if model.optimizer is None else list(model.optimizer.variables)
    return dict(zip(_GROUPS, (weights, optimizer, list(model.metrics_variables)), strict=True))


def _copy(variables: Sequence[Any], arrays: list[Any]) -> list[int]:
    first, convert = len(arrays), sys.modules["keras"].ops.convert_to_numpy
    # A copy always: torch and JAX may hand out the memory that training writes to.
    arrays.extend(sys.modules["numpy"].array(convert(variable)) for variable in variables)
    return list(range(first, len(arrays)))
