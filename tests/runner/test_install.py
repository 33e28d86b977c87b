"""An environment is installed once per content, by uv where there is one, else by pip. Nothing is fetched."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from launcher.runner import install as runner_install
from tests.runner.kit import FROM_SOURCES, Job, environment, write_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.runner.kit import Home

SHA = "c0ffee" * 11
# A uv that does as the real one does, by venv and pip.
UV = f"""#!/bin/sh
echo "$*" >> "$CALLS"
if [ "$1" = venv ]; then exec '{sys.executable}' -m venv --without-pip "$5"; fi
shift 3; python="$2"; shift 2
exec '{sys.executable}' -m pip --python "$python" install --quiet --disable-pip-version-check "$@"
"""


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """Requirements that are met by a wheel lying beside them."""
    wheel = tmp_path / "wheels" / "greeting-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    info = "greeting-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("greeting.py", "WORDS = 'hello from its own environment'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"greeting.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    path = tmp_path / "requirements.txt"
    path.write_text(f"--no-index\n--find-links {wheel.parent.as_uri()}\ngreeting==1.0\n")
    return path


def start_install(home: Home, requirements: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    argv = [*FROM_SOURCES, "install", str(home.path), SHA, str(requirements), "--python", sys.executable]
    return subprocess.Popen(argv, env=environment({"PIP_NO_INPUT": "1", **env}), stderr=subprocess.PIPE)


def install(home: Home, requirements: Path, env: Mapping[str, str]) -> bytes:
    _, words = (process := start_install(home, requirements, env)).communicate(timeout=120)
    assert process.returncode == 0, words
    return words


def test_a_job_runs_in_its_environment(home: Home, requirements: Path) -> None:
    run = "python -c 'import greeting; print(greeting.WORDS)'"
    own = {"file": "requirements.txt", "sha256": SHA}
    batch = home.freeze(Job(run, environment=own), Job(run, name="without"))
    install(home, requirements, {"PATH": "/usr/bin:/bin"})

    batch.run()

    assert batch.states() == ["succeeded", "failed"]
    assert batch.log(0) == b"hello from its own environment\n"


def test_two_who_ask_at_once_wait_for_one_installation_by_uv(
    home: Home, requirements: Path, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin" / "uv", UV)
    calls = tmp_path / "calls"
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "CALLS": str(calls)}

    both = [start_install(home, requirements, env) for _ in range(2)]

    assert [process.communicate(timeout=120)[1] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["venv", "pip"]
    install(home, requirements, env)
    assert len(calls.read_text().splitlines()) == 2


def test_an_installation_that_failed_is_begun_anew(home: Home, requirements: Path, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "uv", UV)
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")}
    good = requirements.read_text()
    requirements.write_text("--no-index\nno-such-package-anywhere\n")
    process = start_install(home, requirements, env)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"no-such-package-anywhere" in words
    requirements.write_text(good)

    install(home, requirements, env)

    assert len(list(home.path.glob("environments/*/lib/*/site-packages/greeting.py"))) == 1


def test_what_the_image_brings_is_not_installed_again(home: Home, requirements: Path, tmp_path: Path) -> None:
    brought = tmp_path / "image" / SHA[:16]
    (brought / "bin").mkdir(parents=True)
    (brought / "bin" / "python").symlink_to(sys.executable)
    (brought / "complete").touch()
    arguments = {"sha256": SHA, "requirements": str(requirements), "python": sys.executable}

    runner_install.install(str(home.path), image=str(tmp_path / "image"), **arguments)
    runner_install.install(str(home.path), image=str(tmp_path / "image"), **arguments)

    assert (home.path / "environments" / SHA[:16]).resolve() == brought
    assert not (home.path / "environments" / SHA[:16] / "lib").exists()
