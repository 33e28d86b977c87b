"""Which image a machine starts from: the setting's, an own one that fits, Amazon's or Canonical's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws.catalogue import machine_types
from launcher.aws.images import DRIVER_580, Image, find_image
from launcher.errors import AwsDeniedError, AwsMissingError
from tests.fake_ec2 import moto_state, seeds

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

L4, V100, NONE = (machine_types()[name] for name in ("g6.xlarge", "p3.2xlarge", "t3.micro"))
HASH = "ab" * 32


def make_own(cloud: Cloud, **tags: str) -> str:
    """Make an image of ours. Returns: its id."""
    base = find_image(cloud, L4).id
    machine = cloud.call("ec2", "RunInstances", ImageId=base, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    made = cloud.call(
        "ec2", "CreateImage", InstanceId=machine["Instances"][0]["InstanceId"], Name=f"own {len(tags)}"
    )
    given = [
        {"Key": key.replace("_", ":"), "Value": value} for key, value in {"app": "launcher", **tags}.items()
    ]
    cloud.call("ec2", "CreateTags", Resources=[made["ImageId"]], Tags=given)
    return str(made["ImageId"])


def test_a_gpu_gets_amazons_base_image(cloud: Cloud) -> None:
    image = find_image(cloud, L4, environment=HASH)

    assert image.id == seeds.image_id("us-west-2", seeds.BASE)
    assert (image.login_user, image.source, image.driver) == ("ubuntu", "Amazon's base image", "")
    assert image.root_device.startswith("/dev/")


@pytest.mark.parametrize(("kind", "driver"), [(V100, DRIVER_580), (NONE, "")])
def test_what_amazons_image_does_not_drive_gets_plain_ubuntu(cloud: Cloud, kind: Any, driver: str) -> None:
    image = find_image(cloud, kind)

    assert image.id == seeds.image_id("us-west-2", seeds.UBUNTU)
    assert image.driver == driver


@pytest.mark.parametrize("trouble", ["ssm:GetParameter", ""])
def test_without_the_parameter_the_name_is_looked_for(cloud: Cloud, fake_ec2: FakeEc2, trouble: str) -> None:
    fake_ec2.gate.denied |= {trouble}
    if not trouble:
        fake_ec2.fail("GetParameter", "ParameterNotFound", times=2)

    assert find_image(cloud, L4).id == seeds.image_id("us-west-2", seeds.BASE)


def test_no_image_at_all_is_told(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.fail("GetParameter", "ParameterNotFound", times=2)
    with fake_ec2.lock:
        moto_state.backend("us-west-2").amis.clear()

    with pytest.raises(AwsMissingError) as caught:
        find_image(cloud, L4)

    assert "Amazon's base image is not to be found in us-west-2" in caught.value.what


def test_an_own_image_that_has_the_environment_comes_first(cloud: Cloud) -> None:
    own = make_own(cloud, launcher_env=HASH, launcher_verified="2026-11-25")

    assert find_image(cloud, L4, environment=HASH) == Image(
        own, "/dev/sda1", find_image(cloud, L4, environment=HASH).size_gb, "ubuntu", "an own image", HASH
    )
    assert find_image(cloud, L4, environment="cd" * 32).id != own
    assert find_image(cloud, L4).id != own
    assert find_image(cloud, V100, environment=HASH).id != own


@pytest.mark.parametrize(
    "tags", [{"launcher_env": HASH}, {"launcher_verified": "x", "launcher_env": "other"}]
)
def test_an_own_image_that_was_not_verified_or_is_another_is_none(cloud: Cloud, tags: dict[str, str]) -> None:
    own = make_own(cloud, **tags)

    assert find_image(cloud, L4, environment=HASH).id != own


def test_the_setting_counts_more_than_all_else(cloud: Cloud) -> None:
    wanted = seeds.image_id("us-west-2", seeds.UBUNTU)

    assert find_image(cloud, L4, environment=HASH, wanted=wanted).id == wanted
    with pytest.raises(AwsMissingError):
        find_image(cloud, L4, wanted="ami-00000000000000000")


def test_who_may_not_look_is_told(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.gate.denied.add("ec2:DescribeImages")

    with pytest.raises(AwsDeniedError):
        find_image(cloud, L4)
