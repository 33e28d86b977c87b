"""A machine is looked over before its first run: what arms its end, and whether jobs see its GPU.

No GPU can be had here, so nvidia-smi is a script; TensorFlow and its finding none are real.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import NodeError
from launcher.nodes.local import LocalNode
from launcher.nodes.node import Completed
from launcher.targets.ready import check_armed, check_gpus
from tests.runner.kit import write_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHA = "c0ffee" * 11


def plan(
    *gpus: float, cpu: bool = False, environment: str | None = None, backend: str = ""
) -> dict[str, Any]:
    described = {"file": "requirements.txt", "sha256": environment} if environment else None
    jobs = [{"needs": {"gpus": each}, "environment": described, "backend": backend} for each in gpus]
    return {"cpu": cpu, "jobs": jobs}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalNode:
    """A node whose nvidia-smi shows one GPU."""
    write_program(
        tmp_path / "bin" / "nvidia-smi", "#!/bin/sh\necho 'GPU 0: Tesla V100-SXM2-16GB (UUID: x)'\n"
    )
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return LocalNode(tmp_path)


def give_interpreter(node: LocalNode, answer: str) -> None:
    write_program(node.home / "environments" / SHA[:16] / "bin" / "python", f"#!/bin/sh\n{answer}\n")


def test_a_job_that_needs_no_gpu_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    check_gpus(LocalNode(tmp_path), plan(0))
    check_gpus(LocalNode(tmp_path), plan(1, cpu=True))


def test_a_machine_without_a_driver_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NodeError, match="nvidia-smi does not answer"):
        check_gpus(LocalNode(tmp_path), plan(1))


def test_a_driver_that_fails_is_refused_with_its_last_words(node: LocalNode) -> None:
    write_program(node.home / "bin" / "nvidia-smi", "#!/bin/sh\necho 'No devices were found' >&2; exit 6\n")

    with pytest.raises(NodeError, match="can't be used: No devices were found"):
        check_gpus(node, plan(1))


def test_too_few_gpus_are_refused(node: LocalNode) -> None:
    with pytest.raises(NodeError, match="nvidia-smi shows 1 GPUs of 2"):
        check_gpus(node, plan(0.5, 2))


@pytest.mark.keras
def test_a_tensorflow_that_would_silently_use_the_cpu_is_refused(
    node: LocalNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert node.python == sys.executable

    with pytest.raises(NodeError, match="tensorflow sees 0 GPUs of 1 and would use the CPU"):
        check_gpus(node, plan(1))


def test_a_share_of_a_gpu_is_content_with_one(node: LocalNode) -> None:
    give_interpreter(node, "echo noise; echo tensorflow 1")

    check_gpus(node, plan(0.25, 1, environment=SHA))


def test_the_job_s_own_backend_is_asked(node: LocalNode) -> None:
    give_interpreter(node, 'echo "$3 0"; echo "no cuda" >&2')

    with pytest.raises(NodeError, match="jax sees 0 GPUs of 1 and would use the CPU: no cuda"):
        check_gpus(node, plan(1, environment=SHA, backend="jax"))


def test_a_backend_that_cannot_be_imported_is_told(node: LocalNode) -> None:
    give_interpreter(node, "echo \"ModuleNotFoundError: No module named 'jax'\" >&2; exit 1")

    with pytest.raises(NodeError, match="jax could not be asked: ModuleNotFoundError"):
        check_gpus(node, plan(1, environment=SHA, backend="jax"))


def test_a_job_with_no_backend_is_content_with_the_driver(node: LocalNode) -> None:
    give_interpreter(node, "echo none -1")

    check_gpus(node, plan(1, environment=SHA))


class Booting:
    """A machine whose end is armed at the given look."""

    def __init__(self, armed_at: int) -> None:
        self.looks, self._armed_at = 0, armed_at

    def run_as_admin(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        assert (list(argv), timeout_s > 0) == (["test", "-s", "/var/lib/launcher/armed"], True)
        self.looks += 1
        return Completed(int(self.looks < self._armed_at), b"", b"")


def test_the_end_of_a_machine_is_waited_for() -> None:
    machine = Booting(armed_at=3)

    check_armed(machine, clock=lambda: 0.0, sleep=lambda _: None)

    assert machine.looks == 3


def test_a_machine_that_would_not_end_by_itself_is_refused() -> None:
    machine, now = Booting(armed_at=10**9), [0.0]

    with pytest.raises(NodeError, match="did not arm its own end within 90 s"):
        check_armed(machine, clock=lambda: now[0], sleep=lambda _: now.__setitem__(0, now[0] + 30))
