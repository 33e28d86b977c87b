"""launcher ami: own images are listed with what they cost, and retired with what they cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from launcher.aws.own_images import create_image, list_images, mark_verified
from launcher.targets.stack import hash_stack
from tests.policy.test_policy import launch, make_group

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.cli.kit import Project
    from tests.fake_ec2 import FakeEc2


def make(cloud: Cloud, fake: FakeEc2, environment: str) -> str:
    machine = launch(cloud, fake, group=make_group(cloud))
    return create_image(cloud, machine, name="mine", environment=environment, gpu="current", owner="ann")


def test_there_is_none_at_first(project: Project, fake_ec2: FakeEc2) -> None:
    assert project.good("ami", "list", env=fake_ec2.environ()) == "There is no image of yours.\n"


def test_an_image_is_listed_with_its_stack_and_its_price(
    project: Project, fake_ec2: FakeEc2, cloud: Cloud
) -> None:
    image = make(cloud, fake_ec2, hash_stack())
    env = fake_ec2.environ()

    page = project.good("ami", "list", env=env)
    assert page.startswith(f"{image}  us-west-2  available  current  the stack of now  not verified  $")

    mark_verified(cloud, image, cloud.clock())
    [listed] = json.loads(project.good("ami", "list", "--json", "--region", "us-west-2", env=env))
    assert (listed["id"], bool(listed["verified_at"])) == (image, True)


def test_an_image_is_retired_when_that_is_meant(project: Project, fake_ec2: FakeEc2, cloud: Cloud) -> None:
    image = make(cloud, fake_ec2, "ab" * 32)
    env = fake_ec2.environ()
    assert "stack abababab" in project.good("ami", "list", env=env)

    refused = project.launcher("ami", "retire", image, stdin="n\n", env=env)
    assert (refused.code, "Nobody is there" in refused.err) == (130, False)
    assert project.launcher("ami", "retire", image, stdin="", env=env).code == 2
    assert [each.id for each in list_images(cloud)] == [image]
    done = project.launcher("ami", "retire", image, "--yes", env=env)
    assert (done.code, f"{image} is gone" in done.err) == (0, True)
    assert list_images(cloud) == ()
    assert project.launcher("ami", "retire", image, "--yes", env=env).code == 2
