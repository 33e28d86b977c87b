"""Who we are to AWS, for how long, and whether our clock is right."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import TYPE_CHECKING

import pytest

from launcher.aws import identity
from launcher.aws.cloud import Cloud
from launcher.aws.identity import Identity, outlives, who
from launcher.plan.values import MachineNeeds
from launcher.targets.ec2_fleet import Market, find_fleet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_ec2 import FakeEc2

SOON = datetime.now(UTC) + timedelta(hours=1)
NEEDS = MachineNeeds(types=("g6.xlarge",), regions=("us-west-2",))


def make_cloud(ahead_s: float = 0) -> Cloud:
    clock = timedelta(seconds=ahead_s)
    return Cloud("us-west-2", sleep=lambda _: None, clock=lambda: datetime.now(UTC) + clock)


def notes(cloud: Cloud) -> str:
    market = Market(cloud_of=lambda _: cloud, subnet=None, disk_gb=100, prefer_zones={})
    return "\n".join(find_fleet(NEEDS, market).notes)


def test_keys_of_a_user_never_end(fake_ec2: FakeEc2) -> None:
    del fake_ec2
    found = who(make_cloud())

    assert (found.account, found.method, found.is_temporary) == ("123456789012", "env", False)
    assert found.name
    assert outlives(found, SOON + timedelta(days=999)) is True
    assert notes(make_cloud()) == ""


def test_temporary_keys_say_when_they_end_or_not(fake_ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> None:
    del fake_ec2
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert outlives(who(make_cloud()), SOON) is None
    assert "temporary, and do not say when they end" in notes(make_cloud())

    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", SOON.isoformat())
    found = who(make_cloud())
    assert outlives(found, SOON - timedelta(minutes=5)) is True
    assert outlives(found, SOON + timedelta(minutes=5)) is False
    assert "the AWS credentials end at" in notes(make_cloud())


@pytest.mark.parametrize(("ahead_s", "is_told"), [(0, False), (200, True), (-200, True)])
def test_a_clock_that_is_a_little_off_is_told_before_the_night(
    fake_ec2: FakeEc2,
    ahead_s: float,
    is_told: bool,  # noqa: FBT001
) -> None:
    del fake_ec2
    cloud = make_cloud(ahead_s)

    assert who(cloud).skew_s == pytest.approx(ahead_s, abs=20)
    assert ("the clock of this computer is" in notes(cloud)) is is_told


@pytest.mark.parametrize("stamp", ["2026-11-25T18:00:00Z", "2026-11-25T18:00:00UTC"])
def test_an_sso_login_ends_when_its_token_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stamp: str
) -> None:
    config = (
        "[profile night]\nsso_session = corp\n[sso-session corp]\nsso_start_url = x\nsso_region = us-west-2\n"
    )
    (tmp_path / "config").write_text(config)
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    session = Cloud("us-west-2", profile="night", sleep=lambda _: None).session

    assert identity._expiry(session, None, "sso") is None
    (cache / f"{sha1(b'corp').hexdigest()}.json").write_text(json.dumps({"expiresAt": stamp}))
    assert identity._expiry(session, None, "sso") == datetime(2026, 11, 25, 18, tzinfo=UTC)


def test_roles_of_machines_renew_themselves() -> None:
    found = Identity("1", "arn", "x", "iam-role", None, is_temporary=False, skew_s=0)

    assert outlives(found, SOON) is True
