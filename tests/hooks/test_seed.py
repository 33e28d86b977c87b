"""A run is seeded exactly as by `keras.utils.set_random_seed(seed)` as the script's first statement."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hooks.conftest import HookedRun

SEED = 7
FIRST_STATEMENT = f"import keras; keras.utils.set_random_seed({SEED})\n"

# What each part draws comes from the order of all draws before it, imports between them included.
DRAWS = {
    "numpy first": """
import numpy as np
draws["numpy"] = np.random.random(3).tolist()
import random
draws["python"] = [random.random(), random.gauss(0, 1)]
""",
    "packages that draw while they are imported": """
import random, numpy as np
np.random.random(), random.random()
import sklearn.model_selection, rich.console, jax
draws["after imports"] = [np.random.random(), random.random()]
""",
    "tensorflow first": """
import tensorflow as tf
draws["tensorflow"] = tf.random.uniform((3,)).numpy().tolist()
draws["tf.data"] = [int(each) for each in tf.data.Dataset.range(9).shuffle(9)]
""",
    "torch first": """
import torch
draws["torch"] = torch.rand(3).tolist()
""",
    "keras": """
import random, hashlib, numpy as np, keras
draws["keras"] = [float(each) for each in keras.ops.convert_to_numpy(keras.random.normal((3,)))]
draws["made"] = keras.random.SeedGenerator().get_config()["seed"] or random.random()
x = np.random.random((64, 4)).astype("float32")
noise = [keras.layers.Dropout(0.5), keras.layers.GaussianNoise(0.1)]
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), *noise, keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x.sum(axis=1), epochs=2, verbose=0)
draws["weights"] = hashlib.sha256(b"".join(each.tobytes() for each in model.get_weights())).hexdigest()
draws["at the end"] = [random.random(), np.random.random(), np.random.permutation(9).tolist()]
""",
    "own seed later": """
import keras, random, numpy as np
keras.utils.set_random_seed(99)
draws["own"] = [random.random(), np.random.random(), float(keras.random.uniform(()))]
""",
}
FRAME = """
import json
draws = {{}}
{body}
json.dump(draws, open("draws.json", "w"))
"""
ORDERS = {
    "numpy": ("numpy first", "packages that draw while they are imported", "keras", "own seed later"),
    "backend": ("{backend} first", "numpy first", "keras"),
    "keras": ("keras", "numpy first"),
}


def draw(hooked: HookedRun, script: str, **how: Any) -> Any:
    (hooked.folder / "work" / "draw.py").write_text(script)
    hooked.finish(hooked.start(sys.executable, "draw.py", **how))
    return hooked.read("draws.json")


@pytest.mark.keras
@pytest.mark.parametrize(
    ("backend", "order"),
    [
        *((backend, "numpy") for backend in ("tensorflow", "jax", "torch")),
        *((backend, "backend") for backend in ("tensorflow", "torch")),
        ("torch", "keras"),
    ],
)
def test_equals_the_call_as_first_statement(hooked: HookedRun, backend: str, order: str) -> None:
    parts = [DRAWS[name.format(backend=backend)] for name in ORDERS[order]]
    script = FRAME.format(body="\n".join(parts))

    plain = draw(hooked, FIRST_STATEMENT + script, backend=backend, hooks=None)
    seeded = draw(hooked, script, backend=backend, seed=SEED)

    assert seeded == plain


def test_seeds_without_keras_and_in_every_process(hooked: HookedRun) -> None:
    script = """
import json, multiprocessing, random
import numpy as np

def draw(_):
    return [random.random(), np.random.random()]

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        json.dump([draw(0), *pool.map(draw, [0])], open("draws.json", "w"))
"""

    here, child = draw(hooked, script, seed=SEED)

    assert here == child == [random.Random(SEED).random(), np.random.RandomState(SEED).random_sample()]


def test_a_package_that_is_reloaded_is_not_seeded_again(hooked: HookedRun) -> None:
    script = """
import importlib, json, random, numpy.random
first = numpy.random.random()
importlib.reload(numpy.random)
json.dump([first, numpy.random.random()], open("draws.json", "w"))
"""

    expected = np.random.RandomState(SEED).random_sample(2).tolist()

    assert draw(hooked, script, seed=SEED) == expected


def test_what_keras_draws_while_it_is_imported_does_not_count(hooked: HookedRun) -> None:
    (hooked.folder / "work" / "keras.py").write_text("import random; random.random(); __version__ = '2'")
    script = """
import json, keras, random
json.dump(random.random(), open("draws.json", "w"))
"""

    assert draw(hooked, script, seed=SEED) == random.Random(SEED).random()


def test_without_a_seed_nothing_is_touched(hooked: HookedRun) -> None:
    script = """
import json, random, numpy.random
random.seed(1), numpy.random.seed(1)
import keras
json.dump([random.random(), numpy.random.random()], open("draws.json", "w"))
"""

    assert draw(hooked, script) == draw(hooked, script, hooks=None)


def test_a_seed_that_is_no_number_is_one_line(hooked: HookedRun) -> None:
    process = hooked.start(sys.executable, "-c", "import random", env={"LAUNCHER_SEED": "seven"})

    output = hooked.finish(process)

    assert [line[:37] for line in output.said] == ["launcher: this run is not seeded: Val"]


def test_a_package_that_refuses_the_seed_is_one_line(hooked: HookedRun, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("def manual_seed(seed): raise ValueError('no\\nseed')")

    process = hooked.start(
        sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import torch", seed=SEED
    )

    assert hooked.finish(process).said == ["launcher: torch is not hooked: ValueError: no seed"]
