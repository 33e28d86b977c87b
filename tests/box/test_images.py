"""An own image, on real machines; only the recipe is another, since a box has no network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launcher.targets.stack import recipe_folder
from tests.faults.night import Night

if TYPE_CHECKING:
    from tests.box.box import Box
    from tests.fake_ec2 import FakeEc2

pytestmark = pytest.mark.root
PROVISION = 'set -eu\ntest "$(id -u)" = 0\ntest -d "$1"\necho "$1" > /var/tmp/provisioned\n'
VERIFY = "import sys\nprint(sys.argv)\n"


def package(folder: Path) -> Path:
    """Return a folder that has launcher with another recipe."""
    copy = folder / "package"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(__file__).parents[2] / "launcher", copy / "launcher", ignore=ignore)
    shutil.copytree(recipe_folder(), copy / "launcher" / "ami", ignore=ignore)
    (copy / "launcher" / "ami" / "provision.sh").write_text(PROVISION)
    (copy / "launcher" / "ami" / "verify.py").write_text(VERIFY)
    return copy


def test_an_image_is_built_on_one_machine_and_tried_on_another(
    fake_ec2: FakeEc2, box: Box, tmp_path: Path
) -> None:
    night = Night(fake_ec2, box, tmp_path, package=package(tmp_path))

    code = night.run("ami", "build", "--type", "g6.xlarge", "--yes")

    assert code == 0, night.said
    [image] = night.read("ami", "list")
    assert (bool(image["verified_at"]), image["gpu"], image["state"]) == (True, "current", "available")
    launches = [call for call in fake_ec2.calls if call.action == "RunInstances" and not call.is_dry_run]
    assert launches[1].params["ImageId"] == image["id"]
    assert len(night.ec2.machines) == 2
    assert (fake_ec2.alive(), fake_ec2.volumes()) == ([], {})
    assert list((night.project / ".launcher" / "keys").iterdir()) == []
