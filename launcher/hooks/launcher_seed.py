"""Seed as `keras.utils.set_random_seed` would, were it the script's first statement.

That call imports Keras and seeds all at once. We must not import anything, so each generator is seeded
once, when the script has imported its package: nobody can have drawn from it before. What the script seeds
itself later wins.

One trap: some packages draw random numbers while they are imported (rich.style from `random`, JAX from
`numpy.random`; measured, and TensorFlow, scikit-learn and Keras import them). Below set_random_seed as
first statement Keras and so all of them are there already. So an import that Keras would have done takes
back what it drew. Torch is seeded under every backend: set_random_seed does so under its own only, and
leaves it to chance elsewhere.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Any

# Keras imports these itself, on one backend or another.
_MAY_DRAW = ("jax", "rich.style")


class Seeder:
    """Seed the packages of one process, each once.

    Args:
        seed: the seed; None touches nothing.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._seeded: dict[str, Any] = {}
        self._before_keras = seed is not None

    @property
    def actions(self) -> Mapping[str, Sequence[Callable[[ModuleType], None]]]:
        """Return what to do after the import of which module."""
        if self._seed is None:
            return {}
        return {**dict.fromkeys(_SEED, (self._seed_once,)), **dict.fromkeys(_MAY_DRAW, ())}

    def seed_loaded(self) -> None:
        """Seed what the interpreter's own start has imported."""
        for name in () if self._seed is None else _SEED:
            module = sys.modules.get(name)
            if module is not None:
                self._seed_once(module)

    def hold(self) -> Callable[[], None]:
        """Remember how seeded generators stand; the result brings that back, until Keras is there."""
        kept = [(name, _STATE[name][0](module)) for name, module in self._seeded.items() if name in _STATE]

        def release() -> None:
            for name, state in kept:
                _STATE[name][1](self._seeded[name], state)

        return release if self._before_keras else _do_nothing

    def _seed_once(self, module: ModuleType) -> None:
        name = module.__name__
        if name in self._seeded:  # importlib.reload
            return
        self._seeded[name] = module
        self._before_keras = self._before_keras and name != "keras"
        _SEED[name](module, self._seed)


def _do_nothing() -> None: ...


def _seed_keras(_: Any, seed: int) -> None:
    state: Any = sys.modules.get("keras.src.backend.common.global_state")
    if state is None:  # Keras 2
        return
    state.set_global_attribute("global_random_seed", seed)
    state.set_global_attribute("global_seed_generator", None)


_SEED: Mapping[str, Callable[[Any, Any], None]] = {
    "random": lambda random, seed: random.seed(seed),
    "numpy.random": lambda random, seed: random.seed(seed),
    "tensorflow": lambda tensorflow, seed: tensorflow.random.set_seed(seed),
    "torch": lambda torch, seed: torch.manual_seed(seed),
    "keras": _seed_keras,
}
_STATE: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    "random": (lambda random: random.getstate(), lambda random, state: random.setstate(state)),
    "numpy.random": (lambda random: random.get_state(), lambda random, state: random.set_state(state)),
}
