"""What a script imports before it does anything else, and what that says about warm starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import UsageError
from launcher.plan.beginning import Beginning, read_beginning
from tests.plan.factory import job, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KERAS = ("keras", ())


def read(script: str, run: str | Sequence[str] = "python train.py", **files: str) -> Beginning:
    sources = {"train.py": script} | {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return read_sources(run, sources)


def read_sources(run: str | Sequence[str], sources: Mapping[str, str]) -> Beginning:
    def content(path: str) -> bytes | None:
        return sources[path].encode() if path in sources else None

    return read_beginning(run, files=sources, read=content)


@pytest.mark.parametrize(
    ("script", "imports"),
    [
        ("import keras", [KERAS]),
        ("import numpy as np, tensorflow as tf", [("numpy", ()), ("tensorflow", ())]),
        ("from keras import layers, models\nfrom keras import ops", [("keras", ("layers", "models", "ops"))]),
        ('"""Doc."""\nfrom __future__ import annotations\nimport os, keras.ops', [("keras.ops", ())]),
        (
            "try:\n  import pandas\nexcept ImportError:\n  pandas = None\nimport keras",
            [("pandas", ()), KERAS],
        ),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import torch\nimport keras", [KERAS]),
        ("if True:\n  import keras\nelse:\n  import torch", [KERAS]),
        (
            "import numpy\nnumpy.random.seed(7)\nRATE = 0.1\nx, y = 1, [2]\nimport keras",
            [("numpy", ()), KERAS],
        ),
        ("def f():\n  import torch\nclass A:\n  pass\nasync def g(): pass\nimport keras", [KERAS]),
        ("import keras\nkeras.config.set_floatx('float64')\nimport sklearn", [KERAS]),
        ("import keras\nfor x in []: pass\nimport sklearn", [KERAS]),
        ("import keras\nA.b = 1\nimport sklearn", [KERAS]),
        ("import keras\nsys.path[0] = 1\nimport sklearn", [KERAS]),
        ("import keras\n(lambda: 1)()\nimport sklearn", [KERAS]),
        ("import keras\nif f():\n  import torch\nimport sklearn", [KERAS]),
        ("import keras\nimport unknown\nimport sklearn", [KERAS]),
        ("import keras\nfrom . import own\nimport sklearn", [KERAS]),
    ],
)
def test_imports_are_those_before_anything_that_could_matter_to_them(script: str, imports: list[Any]) -> None:
    found = read(script)

    assert list(found.imports) == imports
    assert found.obstacle == ""


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("os.environ['A'] = 'b'", [("A", "b", False)]),
        ("environ['A'] = 'b'", [("A", "b", False)]),
        ("os.environ.setdefault('A', 'b')", [("A", "b", True)]),
    ],
)
def test_variables_that_are_set_first_are_kept(line: str, variables: list[Any]) -> None:
    found = read(f"import os\n{line}\nimport keras")

    assert list(found.variables) == variables
    assert found.imports == (KERAS,)


@pytest.mark.parametrize(
    "line",
    [
        "os.environ['A'] = f()",
        "os.environ.update(A='b')",
        "del os.environ['A']",
        "table['A'] = 'b'",
        "t.setdefault('A', 'b')",
    ],
)
def test_other_ways_to_change_variables_end_the_reading(line: str) -> None:
    found = read(f"import os\n{line}\nimport keras")

    assert found.imports == ()
    assert found.obstacle == "line 2 of train.py comes before its import of Keras"


def test_modules_of_the_folder_are_read_and_never_imported() -> None:
    found = read(
        "import data\nimport model\nimport sklearn", data="import numpy, model", model="import keras, data"
    )

    assert found.imports == (("numpy", ()), KERAS, ("sklearn", ()))
    assert found.own == ("data", "model", "train")


def test_a_module_of_the_folder_hides_a_package() -> None:
    assert read("import numpy\nimport keras", numpy="f()").imports == ()


def test_the_scripts_own_folder_counts() -> None:
    sources = {"deep/train.py": "import model", "deep/model.py": "import keras", "model.py": "f()"}
    sources |= {"deep/package/__init__.py": "", "deep/data/x.csv": "", "deep/fast.cpython-311.so": ""}

    found = read_sources(["python", "./deep/train.py", "{params}"], sources)

    assert found.imports == (KERAS,)
    assert found.own == ("fast", "model", "package", "train")


@pytest.mark.parametrize(
    ("run", "obstacle"),
    [
        ("python train.py | tee log", "run is no plain python SCRIPT"),
        ("python -u train.py", "run is no plain python SCRIPT"),
        ("python {script}", "run is no plain python SCRIPT"),
        ("python ../train.py", "run is no plain python SCRIPT"),
        (("python", "/train.py"), "run is no plain python SCRIPT"),
        ("python other.py", "other.py can't be read"),
        ("python train.py", "train.py imports no Keras"),
        ("python broken.py", "broken.py can't be read"),
    ],
)
def test_a_job_that_starts_afresh_is_told_why(run: Any, obstacle: str) -> None:
    found = read("import numpy", run, broken="import (")

    assert (found.imports, found.obstacle) == ((), obstacle)


def test_places_of_values_are_no_shell_syntax() -> None:
    assert read("import keras", "python train.py --seed={seed} {params} {a.b-c}").imports == (KERAS,)
    assert read("import keras", "python train.py {{").obstacle == "run is no plain python SCRIPT"


BEGINNING = Beginning((("keras", ("layers",)),), (("KERAS_BACKEND", "jax", False),), ("train",))


def test_a_plan_says_what_a_warm_worker_does() -> None:
    [planned] = plan(job(), beginnings={"sonar": BEGINNING}).jobs

    assert planned.warm == {
        "imports": [["keras", ["layers"]]],
        "variables": [["KERAS_BACKEND", "jax", False]],
        "own": ["train"],
    }


@pytest.mark.parametrize(
    ("fields", "beginnings", "reason"),
    [
        ({"warm": False}, {"sonar": BEGINNING}, "warm: false"),
        ({}, {"sonar": Beginning(obstacle="why")}, "why"),
        ({}, {}, "its script was not read"),
    ],
)
def test_a_plan_says_why_runs_start_afresh(fields: Any, beginnings: Any, reason: str) -> None:
    assert plan(job(**fields), beginnings=beginnings).jobs[0].warm == {"reason": reason}


def test_a_script_that_chooses_another_backend_than_its_job_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        plan(job(backend="torch"), beginnings={"sonar": BEGINNING})

    assert caught.value.what == "sonar.yaml: backend is torch, but the script sets KERAS_BACKEND to jax."
    assert caught.value.todo == "Remove that line from the script, or write backend: jax."


@pytest.mark.parametrize("backend", ["jax", None])
def test_a_script_may_choose_the_backend_of_its_job(backend: str | None) -> None:
    assert plan(job(backend=backend), beginnings={"sonar": BEGINNING}).jobs[0].backend == backend


def test_a_default_of_the_script_gives_way_to_the_job() -> None:
    default = Beginning((KERAS,), (("KERAS_BACKEND", "jax", True), ("A", "b", False)))

    assert plan(job(backend="torch"), beginnings={"sonar": default}).jobs[0].backend == "torch"


def test_the_backend_counts_as_the_variable_would_and_a_warm_start_does_not() -> None:
    plain, named, set_, fresh = (
        plan(job(**fields)).runs[0].content
        for fields in ({}, {"backend": "jax"}, {"env": {"KERAS_BACKEND": "jax"}}, {"warm": False})
    )

    assert named == set_ != plain == fresh
