"""Whether a backend is there is asked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launcher.backends import check_backends
from launcher.errors import NodeError, UsageError
from launcher.nodes.local import LocalNode
from tests.cli.kit import write_program
from tests.plan.factory import job, plan

if TYPE_CHECKING:
    from launcher.plan import Plan

SHA256 = "ef" * 32


def planned(backend: str | None = "torch", *, has_environment: bool = False) -> Plan:
    if has_environment:
        spec = job(backend=backend, environment=Path("/jobs/requirements.txt"))
        return plan(spec, environments={"sonar": SHA256})
    return plan(job(backend=backend), job("second", backend=backend))


def a_node(home: Path, *, text: str) -> LocalNode:
    return LocalNode(home, python=str(write_program(home / "python", text)))


def test_a_backend_that_is_there_is_no_trouble(tmp_path: Path) -> None:
    check_backends(planned(), LocalNode(tmp_path))


def test_no_interpreter_is_asked_where_no_backend_is_named(tmp_path: Path) -> None:
    check_backends(planned(None), LocalNode(tmp_path, python="/nowhere"))


def test_what_is_missing_is_named_with_its_job_and_interpreter(tmp_path: Path) -> None:
    node = a_node(tmp_path, text="#!/bin/sh\necho keras torch\n")

    with pytest.raises(UsageError) as caught:
        check_backends(planned(), node)

    assert caught.value.what == f"sonar: backend is torch, but {node.python} has no keras and torch."
    assert caught.value.todo == "Add keras and torch to the job's requirements, or install it there."


def test_the_job_s_own_environment_is_asked(tmp_path: Path) -> None:
    write_program(tmp_path / "environments" / SHA256[:16] / "bin" / "python", "#!/bin/sh\necho torch\n")

    with pytest.raises(UsageError, match=r"but the environment of requirements.txt has no torch\."):
        check_backends(planned(has_environment=True), LocalNode(tmp_path))


@pytest.mark.parametrize(("said", "cause"), [("echo why >&2;", "why"), ("", "no output")])
def test_an_interpreter_that_does_not_run_is_told(tmp_path: Path, said: str, cause: str) -> None:
    node = a_node(tmp_path, text=f"#!/bin/sh\n{said} exit 3\n")

    with pytest.raises(NodeError, match=rf"does not run: {cause}\."):
        check_backends(planned(), node)
