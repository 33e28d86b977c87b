"""This computer as a target: what is here, and a node that was here all along."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from launcher.nodes.local import LocalNode
from launcher.plan.values import MachineNeeds
from launcher.targets.local import LocalTarget, hash_interpreter
from tests.cli.kit import write_program

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.targets.target import Target

NEEDS = MachineNeeds(types=("g6.xlarge",), regions=("us-west-2",))


@pytest.mark.parametrize(
    ("program", "visible", "gpus"),
    [("exit 9", None, 0), ("echo 0; echo 1", None, 2), ("echo 0; echo 1", "1", 1), ("echo 0; echo 1", "", 0)],
)
def test_the_fleet_is_the_gpus_that_may_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, visible: str | None, gpus: int
) -> None:
    write_program(tmp_path / "nvidia-smi", f"#!/bin/sh\n{program}\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    target: Target = LocalTarget(tmp_path)

    fleet = target.fleet(NEEDS)

    assert (target.name, fleet.gpus, fleet.machines, fleet.offers) == ("local", gpus, (), ())


def test_the_node_is_this_computer_and_its_interpreter(tmp_path: Path) -> None:
    target: Target = LocalTarget(tmp_path)

    with target.acquire(tmp_path, offers=()) as node:
        assert isinstance(node, LocalNode)
        assert (node.home, node.python) == (tmp_path, sys.executable)


def test_another_package_or_version_makes_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_interpreter()
    assert hash_interpreter() == before
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "missing")])
    assert hash_interpreter() == before

    (tmp_path / "tiny-1.0.dist-info").mkdir()
    with_tiny = hash_interpreter()
    (tmp_path / "tiny-1.0.dist-info").rename(tmp_path / "tiny-1.1.dist-info")

    assert len({before, with_tiny, hash_interpreter()}) == 3
