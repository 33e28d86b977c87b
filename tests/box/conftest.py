"""Machines of the box for tests, and the values that they are born with."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.box.box import Box
from tests.box.ec2 import BoxEc2
from tests.box.kit import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fake_ec2 import FakeEc2


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A login key and a host key."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("login", "host"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(argv, check=True)
    return Keys(folder / "login", folder / "host")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box of the test's own."""
    with Box(tmp_path) as box:
        yield box


@pytest.fixture(scope="module")
def shared_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box for the machines that the tests of a module share."""
    with Box(tmp_path_factory.mktemp("box")) as box:
        yield box


@pytest.fixture
def box_ec2(fake_ec2: FakeEc2, box: Box) -> BoxEc2:
    """An account whose instances are real machines."""
    return BoxEc2(fake_ec2, box)
