"""The states of all random generators of a process: kept, and put back as they were. Nothing is seeded.

Generators that belong to layers are variables of the model and are kept there.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KERAS = "global_seed_generator"


def keep_random() -> dict[str, Any]:
    """Return the states of the generators of Python and of every package that is there."""
    return {name: keep(sys.modules[name]) for name, (keep, _) in _STATES.items() if name in sys.modules}


def put_random_back(states: Mapping[str, Any]) -> None:
    """Bring every generator to where it was."""
    for name, state in states.items():
        if name in sys.modules and state is not None:
            _STATES[name][1](sys.modules[name], state)


def is_seeded(backend: str) -> bool:
    """Tell whether a backend draws the order of samples from a seed; only TensorFlow may not."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return backend != "tensorflow" or context is None or context.global_seed() is not None


def _keep_tensorflow(context: Any) -> Any:
    eager = context.context()
    return None if eager._seed is None else [eager._seed, eager._rng.getstate()]  # noqa: SLF001  # no public way


def _put_tensorflow_back(context: Any, state: Any) -> None:
    eager = context.context()
    if eager._seed != state[0]:  # noqa: SLF001
        eager._set_global_seed(state[0])  # noqa: SLF001
    eager._rng.setstate(state[1])  # noqa: SLF001


def _keep_keras(state: Any) -> Any:
    generator = state.get_global_attribute(_KERAS)
    return [] if generator is None else [_to_numpy(generator.state)]


def _put_keras_back(state: Any, kept: Any) -> None:
    if not kept:
        state.set_global_attribute(_KERAS, None)
        return
    generator = state.get_global_attribute(_KERAS)
    if generator is None:
        generator = sys.modules["keras"].random.SeedGenerator(0)
        state.set_global_attribute(_KERAS, generator)
    generator.state.assign(kept[0])


def _keep_torch(torch: Any) -> Any:
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [each.numpy().copy() for each in (torch.get_rng_state(), *devices)]


def _put_torch_back(torch: Any, state: Any) -> None:
    own, *devices = (torch.from_numpy(each) for each in state)
    torch.set_rng_state(own)
    if devices:
        torch.cuda.set_rng_state_all(devices)


def _to_numpy(variable: Any) -> Any:
    return sys.modules["numpy"].array(sys.modules["keras"].ops.convert_to_numpy(variable))


_STATES: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    # Keras first: a generator that it has to make draws from those that follow.
    "keras.src.backend.common.global_state": (_keep_keras, _put_keras_back),
    "tensorflow.python.eager.context": (_keep_tensorflow, _put_tensorflow_back),
    "torch": (_keep_torch, _put_torch_back),
    "numpy.random": (
        lambda numpy_random: numpy_random.get_state(legacy=False),
        lambda numpy_random, state: numpy_random.set_state(state),
    ),
    "random": (lambda _: random.getstate(), lambda _, state: random.setstate(state)),
}
