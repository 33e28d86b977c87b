"""The hooks come in by PYTHONPATH and stay out of everybody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import launcher
from launcher.nodes.runner_zip import build_runner_zip

if TYPE_CHECKING:
    from tests.hooks.conftest import HookedRun

SOURCES = Path(launcher.__file__).parent
HOOKS = SOURCES / "hooks"


@pytest.mark.keras
def test_works_from_inside_a_zip(hooked: HookedRun) -> None:
    archive = hooked.folder / "runner.pyz"
    archive.write_bytes(build_runner_zip(SOURCES))
    script = """
        import keras
        model = make_model(keras)
        keep(model.fit(x, y, epochs=2, verbose=0), fit=0)
        model.evaluate(x, y, verbose=0)
    """

    output = hooked.run(script, hooks=archive / "launcher" / "hooks", seed=3)

    assert output.said == []
    assert hooked.observed == hooked.expected
    assert len(hooked.metrics["evaluate"]) == 1


def test_another_sitecustomize_runs_too(hooked: HookedRun, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(
        "print('other', __name__, __file__.endswith('other/sitecustomize.py'))"
    )

    process = hooked.start(
        sys.executable,
        "-c",
        "import sitecustomize, sys; print(sitecustomize.__file__, '_launcher_hooks' in sys.modules)",
        env={"PYTHONPATH": f"{HOOKS}{os.pathsep}{other}"},
    )

    output = hooked.finish(process)
    assert output.stdout == f"other sitecustomize True\n{other}/sitecustomize.py True\n"
    assert output.stderr == ""


@pytest.mark.parametrize("line", ["raise ValueError('theirs')", "import no_such_module"])
def test_an_error_of_another_sitecustomize_is_python_s_to_tell(
    hooked: HookedRun, tmp_path: Path, line: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(line)
    paths = f"{HOOKS}{os.pathsep}{tmp_path}"

    with_us = hooked.finish(hooked.start(sys.executable, "-c", "print('on')", env={"PYTHONPATH": paths}))
    without = hooked.finish(
        hooked.start(sys.executable, "-c", "print('on')", hooks=None, env={"PYTHONPATH": str(tmp_path)})
    )

    assert with_us.stdout == "on\n"
    assert with_us.stderr == without.stderr != ""


def test_hides_no_module_of_the_user(hooked: HookedRun) -> None:
    for name in ("launcher_keras", "launcher_seed", "launcher"):
        (hooked.folder / "work" / f"{name}.py").write_text("mine = True")

    output = hooked.run("""
        import launcher, launcher_keras, launcher_seed, sys
        print(launcher.mine, launcher_keras.mine, launcher_seed.mine, [p for p in sys.path if "hooks" in p])
    """)

    assert output.stdout == "True True True []\n"


def test_does_nothing_outside_a_run(hooked: HookedRun) -> None:
    process = hooked.start(
        sys.executable,
        "-c",
        "import sys; print('_launcher_hooks' in sys.modules, sys.path)",
        hooks=None,
        env={"PYTHONPATH": str(HOOKS)},
    )

    output = hooked.finish(process)
    assert output.stdout.startswith("False")
    assert str(HOOKS) not in output.stdout


def test_two_copies_on_the_path_hook_once(hooked: HookedRun, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.symlink_to(HOOKS)
    code = "import sys; print([type(finder).__name__ for finder in sys.meta_path].count('ImportWatch'))"

    process = hooked.start(sys.executable, "-c", code, env={"PYTHONPATH": f"{HOOKS}{os.pathsep}{copy}"})

    assert hooked.finish(process).stdout == "1\n"


def test_imports_of_a_plain_script_are_the_interpreter_s_own(hooked: HookedRun) -> None:
    code = "import sys; print(*sys.modules)"

    hook = hooked.finish(hooked.start(sys.executable, "-c", code, seed=1)).stdout.split()
    plain = hooked.finish(hooked.start(sys.executable, "-c", code, hooks=None)).stdout.split()

    assert {name for name in set(hook) - set(plain) if "launcher" not in name} <= {
        "__future__",
        "sitecustomize",
    }


def test_a_broken_installation_is_one_line(hooked: HookedRun, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_bytes((HOOKS / "sitecustomize.py").read_bytes())

    output = hooked.finish(hooked.start(sys.executable, "-c", "print('on')", hooks=tmp_path))

    assert output.stdout == "on\n"
    assert len(output.stderr.splitlines()) == 1
    assert output.said[0].startswith("launcher: this run has no history and no seed: ModuleNotFoundError")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("keras", "__version__ = '2.15.0'", "that needs Keras 3, and this is Keras 2.15.0"),
        ("keras", "", "that needs Keras 3, and this is Keras of unknown version"),
        ("keras", "__version__ = '3.0'", "has no attribute 'Model'"),
        ("tf_keras", "", "that needs Keras 3, and this is tf_keras"),
    ],
)
def test_a_keras_that_cannot_be_watched_is_one_line(
    hooked: HookedRun, name: str, content: str, line: str
) -> None:
    (hooked.folder / "work" / f"{name}.py").write_text(content)
    (hooked.folder / "work" / "train.py").write_text(f"import {name}")

    output = hooked.finish(hooked.start(sys.executable, "train.py", seed=1))

    assert len(output.said) == 1
    assert output.said[0].startswith("launcher: this run has no history: ")
    assert line in output.said[0]


def test_a_failing_or_missing_import_is_as_without_us(hooked: HookedRun) -> None:
    (hooked.folder / "work" / "keras.py").write_text("import random\nraise ImportError('on purpose')")
    code = """
        import sys
        for name in ("keras", "tf_keras"):
            try:
                __import__(name)
            except ImportError as error:
                print(error, name in sys.modules)
        import random
        print(random.random())
    """

    with_us, again = (hooked.run(code, seed=1) for _ in range(2))

    assert with_us.stdout.splitlines()[:2] == ["on purpose False", "No module named 'tf_keras' False"]
    assert with_us.stdout == again.stdout  # what came in below the failed import is seeded
    assert with_us.stderr == ""


def test_goes_on_without_stderr(hooked: HookedRun) -> None:
    (hooked.folder / "work" / "tf_keras.py").touch()

    output = hooked.run("import sys; sys.stderr.close(); sys.stderr = None; import tf_keras; print('on')")

    assert output.stdout == "on\n"


@pytest.mark.keras
def test_without_run_json_all_is_default(hooked: HookedRun) -> None:
    (hooked.folder / "run.json").unlink()

    output = hooked.run("import keras; make_model(keras).fit(x, y, verbose=0)")

    assert [line[:70] for line in output.said] == [
        "launcher: run.json cannot be read, so its defaults hold: FileNotFoundE"
    ]
    assert [row["attempt"] for row in hooked.rows] == ["1"]


@pytest.mark.keras
def test_wrong_arguments_are_refused_as_by_keras(hooked: HookedRun) -> None:
    output = hooked.run("""
        import keras
        model = make_model(keras)
        for call in (lambda: model.fit(x, y, wrong=1), keras.Model.fit, keras.Model.evaluate):
            try:
                call()
            except TypeError as error:
                print(error)
    """)

    assert len(output.stdout.splitlines()) == 3
    assert "unexpected keyword argument 'wrong'" in output.stdout
    assert output.said == []


def test_ctrl_c_passes(hooked: HookedRun) -> None:
    (hooked.folder / "work" / "tf_keras.py").write_text(
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    )

    process = hooked.start(sys.executable, "-c", "import tf_keras")
    assert isinstance(process, subprocess.Popen)

    assert hooked.finish(process, exit_code=-signal.SIGINT).stderr.endswith("KeyboardInterrupt\n")
