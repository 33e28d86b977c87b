"""launcher iam-policy prints a policy for the account and the regions that are meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from launcher.aws.policy import make_policy

if TYPE_CHECKING:
    from tests.cli.kit import Project
    from tests.fake_ec2 import FakeEc2

ROLE = "arn:aws:iam::210987654321:role/launcher-reaper"


def test_with_an_account_nothing_is_asked(project: Project) -> None:
    page = project.good("iam-policy", "--account", "210987654321", "--region", "eu-west-1")

    assert json.loads(page) == make_policy("210987654321", ["eu-west-1"])


def test_settings_say_regions_role_and_bucket(project: Project, fake_ec2: FakeEc2) -> None:
    settings = {"REGIONS": "us-west-2,eu-west-1", "REAPER_ROLE": ROLE, "BUCKET": "results"}
    env = {f"LAUNCHER_{name}": value for name, value in settings.items()} | fake_ec2.environ()

    page = project.good("iam-policy", env=env)

    expected = make_policy("123456789012", ["us-west-2", "eu-west-1"], reaper_role=ROLE, bucket="results")
    assert json.loads(page) == expected


def test_without_credentials_it_says_what_to_do(project: Project) -> None:
    done = project.launcher("iam-policy")

    assert (done.code, done.out) == (3, "")
    assert "there are no credentials for AWS" in done.err
    assert "aws configure" in done.err
