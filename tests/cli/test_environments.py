"""A job's environment: installed once per content for all who ask for it, refused in one line when broken."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.cli.kit import LAUNCHER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.kit import Project

RUN = ["python", "-c", "import tiny, sys; print(tiny.WHO, sys.prefix)"]


@pytest.fixture(autouse=True)
def _offline(project: Project) -> None:
    project.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_INDEX": "1"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package of one line, as an index would give it."""
    files = {
        "tiny.py": "WHO = 'tiny'\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "tiny-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def job(project: Project, name: str, requirements: str) -> str:
    files = {"requirements.txt": requirements, "data.txt": ""}
    return project.job(RUN, name, files=files, environment=f"{name}/requirements.txt")


def test_an_environment_is_installed_once_for_all_jobs_and_batches(project: Project, wheel: Path) -> None:
    jobs = [job(project, name, f"tiny @ {wheel.as_uri()}\n") for name in ("one", "two")]

    project.good("submit", *jobs)
    [folder] = (project.home / "environments").glob("*/")
    complete = (folder / "complete").stat()
    wheel.unlink()
    project.good("submit", *jobs)
    project.good("rehearse", *jobs)

    assert {project.good("logs", name) for name in ("one", "two")} == {f"tiny {folder}\n"}
    assert (folder / "complete").stat() == complete


def test_a_broken_environment_is_one_error_and_leaves_nothing(project: Project) -> None:
    submitted = project.launcher("submit", job(project, "job", "tiny==99 --hash=sha256:00\nnonsense===\n"))

    assert (submitted.code, submitted.out) == (3, "")
    assert submitted.err.count("error: ") == 1
    assert "The environment could not be installed" in submitted.err
    assert "CalledProcessError" not in submitted.err
    assert "Traceback" not in submitted.err
    assert project.batches() == []
    assert project.processes() == []


def test_a_broken_environment_is_found_by_rehearse(project: Project) -> None:
    done = project.launcher("rehearse", job(project, "job", "nonsense===\n"))

    assert done.code == 3
    assert "The environment could not be installed" in done.err


@pytest.fixture
def index() -> Iterator[socket.socket]:
    """An index that takes a call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def test_a_batch_that_is_still_being_submitted_is_waited_for(project: Project, index: socket.socket) -> None:
    for offline in ("PIP_NO_INDEX", "UV_OFFLINE", "UV_NO_INDEX"):
        del project.environ[offline]
    project.environ |= {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}
    port = index.getsockname()[1]
    wheel = f"tiny @ http://127.0.0.1:{port}/tiny-1.0-py3-none-any.whl\n"
    submitting = project.start("submit", job(project, "job", wheel))
    call, _ = index.accept()
    [batch] = project.batches()

    with project.terminal(LAUNCHER, "attach") as attached:
        attached.read_until(f"{batch.name} is still being submitted.")
        resumed, said = project.launcher("resume"), project.good("status")
        index.close()
        call.close()
        assert attached.wait() == 2

    assert f"launcher attach {batch.name}" in said
    assert (resumed.code, "is still being submitted" in resumed.err) == (2, True)
    assert "its submit came to nothing" in attached.text
    assert submitting.wait(60) == 3
    assert project.batches() == []


def test_resume_installs_what_a_killed_submit_did_not(project: Project, wheel: Path) -> None:
    import shutil

    batch = project.submit(job(project, "job", f"tiny @ {wheel.as_uri()}\n"))
    project.good("attach")
    for name in ("runs", "events.jsonl", "runner.json", "runner.lock", "manifest.json"):
        (batch / name).rename(project.shared / name)
    shutil.rmtree(project.home / "environments")

    assert project.launcher("resume").code == 0
    assert (
        json.loads((batch / "plan.json").read_bytes())["jobs"][0]["environment"]["file"] == "requirements.txt"
    )
