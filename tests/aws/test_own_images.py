"""An own image: built on one rented machine, tried on a second, preferred only then; retired with its disks."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws import own_images
from launcher.aws.catalogue import machine_types
from launcher.aws.images import find_image
from launcher.aws.policy import make_policy
from launcher.errors import AwsRefusedError, AwsUnclearError, NodeError
from launcher.images import Build, build_image
from launcher.nodes.node import Completed
from launcher.targets.stack import hash_stack, read_stack, recipe_folder
from tests.policy.test_policy import launch, make_group
from tests.policy.touches import judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

L4 = machine_types()["g6.xlarge"]
BUILD = Build(gpu="current", has_gpu=True, owner="ann")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AMI = Path(__file__).parents[2] / "ami"


class Shop:
    """Rents machines of the stand-in; what runs on them is written down, and fails where it is told to."""

    def __init__(self, cloud: Cloud, fake: FakeEc2, *, fails: str = "", on: int = 0) -> None:
        self.cloud, self.fake, self.fails, self.on = cloud, fake, fails, on
        self.ran: list[list[str]] = []
        self.images: list[str | None] = []
        self.recipe: list[str] = []
        self.group = make_group(cloud)

    @contextmanager
    def rent(self, *, image: str | None) -> Iterator[tuple[str, Any]]:
        self.images.append(image)
        changes = {"ImageId": image} if image else {}
        machine = launch(self.cloud, self.fake, group=self.group, **changes)
        try:
            yield machine, self
        finally:
            self.cloud.call("ec2", "TerminateInstances", InstanceIds=[machine])

    def run_as_admin(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        assert timeout_s > 0
        self.ran.append(list(argv))
        if "tar" in argv:
            with tarfile.open(fileobj=io.BytesIO(stdin)) as archive:
                self.recipe = archive.getnames()
        failed = self.fails and any(self.fails in word for word in argv) and len(self.images) > self.on
        return Completed(1, b"", b"first\nno room left") if failed else Completed(0, b"", b"")


def build(shop: Shop) -> own_images.OwnImage:
    return build_image(shop.cloud, BUILD, rent=shop.rent, now=lambda: NOW, tell=lambda _: None)


def test_an_image_is_built_tried_and_then_preferred(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    shop = Shop(cloud, fake_ec2)
    assert own_images.list_images(cloud) == ()

    made = build(shop)

    scripts = [Path(word).name for argv in shop.ran for word in argv if word.endswith((".sh", ".py"))]
    assert scripts == ["provision.sh", "verify.py", "clean.sh", "verify.py"]
    assert shop.images == [None, made.id]
    assert {"provision.sh", "verify.py", "clean.sh", "requirements.lock"} <= set(shop.recipe)
    assert all(argv[:2] == ["sudo", "-n"] for argv in shop.ran)
    [listed] = own_images.list_images(cloud)
    assert (listed.environment, listed.gpu, listed.verified_at[:10]) == (
        hash_stack(),
        "current",
        "2026-11-25",
    )
    assert find_image(cloud, L4, environment=hash_stack()).id == made.id
    assert fake_ec2.alive() == []
    [call] = [call for call in fake_ec2.calls if call.action == "CreateImage"]
    assert call.params["NoReboot"] == "true"


def test_all_that_a_build_does_is_in_the_policy(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    own_images.retire(cloud, build(Shop(cloud, fake_ec2)))

    assert judge(make_policy("123456789012", ["us-west-2"]), fake_ec2.calls) == []


@pytest.mark.parametrize(
    ("fails", "on", "calls"), [("provision.sh", 0, 0), ("verify.py", 0, 0), ("verify.py", 1, 1)]
)
def test_what_fails_leaves_no_image_and_no_machine(
    cloud: Cloud, fake_ec2: FakeEc2, fails: str, on: int, calls: int
) -> None:
    with pytest.raises(NodeError) as caught:
        build(Shop(cloud, fake_ec2, fails=fails, on=on))

    assert "first / no room left" in caught.value.what
    assert fake_ec2.actions().count("CreateImage") == calls
    assert own_images.list_images(cloud) == ()
    assert fake_ec2.alive() == []


def test_retiring_removes_the_snapshots_too_and_may_be_repeated(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    made = build(Shop(cloud, fake_ec2))
    [image] = own_images.list_images(cloud)
    assert image.snapshots

    own_images.retire(cloud, image)
    own_images.retire(cloud, image)

    assert own_images.list_images(cloud) == ()
    left = cloud.call("ec2", "DescribeSnapshots", OwnerIds=["self"])["Snapshots"]
    assert {snapshot["SnapshotId"] for snapshot in left} & set(image.snapshots) == set()
    assert made.usd_per_month >= 0


@pytest.mark.parametrize(("state", "kind"), [("failed", AwsRefusedError), ("pending", AwsUnclearError)])
def test_an_image_that_never_gets_ready_is_told(
    cloud: Cloud, fake_ec2: FakeEc2, state: str, kind: type[Exception]
) -> None:
    made = build(Shop(cloud, fake_ec2))
    with fake_ec2.lock:
        from tests.fake_ec2 import moto_state

        moto_state.backend("us-west-2").amis[made.id].state = state

    with pytest.raises(kind, match=made.id):
        own_images.wait_available(cloud, made.id)


# The recipe


def test_the_stack_serves_a_v100_too() -> None:
    pins = dict(line.split("==") for line in read_stack().decode().splitlines() if "==" in line)

    assert pins["tensorflow"].startswith("2.21.")
    assert tuple(int(part) for part in pins["nvidia-cudnn-cu12"].split(".")[:2]) < (9, 11)
    assert "://" not in read_stack().decode()
    assert recipe_folder() == AMI


@pytest.mark.parametrize("script", ["provision.sh", "clean.sh"])
def test_the_scripts_are_scripts(script: str) -> None:
    subprocess.run(["bash", "-n", str(AMI / script)], check=True)
    assert "set -euo pipefail" in (AMI / script).read_text()


def test_the_machine_has_another_end_before_its_own_is_taken_away() -> None:
    lines = (AMI / "clean.sh").read_text().splitlines()

    armed = next(at for at, line in enumerate(lines) if line.startswith("systemd-run "))
    assert "poweroff" in lines[armed]
    assert all(
        at > armed for at, line in enumerate(lines) if line.startswith(("systemctl", "rm ", "truncate"))
    )


def verify(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(AMI / "verify.py"), *words], capture_output=True, text=True, check=False
    )


@pytest.mark.keras
def test_verify_trains_a_step_in_the_stacks_interpreter(tmp_path: Path) -> None:
    import numpy as np

    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# pins\nnumpy=={np.__version__}\n")

    done = verify(str(lock))
    assert (done.returncode, done.stdout) == (0, "the stack is whole\n"), done

    assert "TensorFlow sees no GPU" in verify(str(lock), "--gpu").stdout


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("numpy==0.1\n", "not 0.1"),
        ("no-such-thing==1.0 ; python_version > '3'\n", "no-such-thing is missing, not 1.0"),
        ("# nothing\n", "the lock names nothing"),
    ],
)
def test_verify_says_what_differs_from_the_lock(tmp_path: Path, lock: str, said: str) -> None:
    (tmp_path / "lock").write_text(lock)

    done = verify(str(tmp_path / "lock"))

    assert done.returncode == 1
    assert said in done.stdout
