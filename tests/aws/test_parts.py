"""What is beside a machine: its group, its disk, its schedule, a bucket; and how each is found and ended."""

from __future__ import annotations

import hashlib
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from launcher.aws import bucket, connect, machines, regions, schedules, security, tags, volumes
from launcher.aws.launch_request import as_sent, make_attempt
from launcher.aws.sweep import sweep
from launcher.errors import AwsCapacityError, AwsError, AwsRefusedError, AwsUnclearError, UsageError
from tests.aws.kit import BATCH, offers, request, try_launch

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfzOqTWmYkKPZYYkG4hZk5UwPZVNk0Jw0p0h9YbS2bF"
ROLE = "arn:aws:iam::123456789012:role/launcher-reaper"


def vpc_of(cloud: Cloud) -> str:
    return str(cloud.call("ec2", "DescribeVpcs")["Vpcs"][0]["VpcId"])


def let_in(cloud: Cloud, group: str) -> set[str]:
    (row,) = cloud.call("ec2", "DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"]
    return {each["CidrIp"] for permission in row["IpPermissions"] for each in permission["IpRanges"]}


def ensure(cloud: Cloud, cidr: str, *, client: str = "laptop", owner: str = "me") -> str:
    return security.ensure_group(cloud, vpc=vpc_of(cloud), cidr=cidr, owner=owner, client=client)


# Groups


def test_a_group_is_made_once_and_lets_in_only_this_computer(cloud: Cloud) -> None:
    first = ensure(cloud, "203.0.113.7/32")
    again = ensure(cloud, "203.0.113.7/32")

    assert first == again
    assert let_in(cloud, first) == {"203.0.113.7/32"}
    assert sweep(cloud.in_region, ["us-west-2"]).small[0].id == first


def test_a_new_address_replaces_the_old_one_of_this_computer_alone(cloud: Cloud) -> None:
    group = ensure(cloud, "203.0.113.7/32")
    ensure(cloud, "203.0.113.8/32", client="other")

    ensure(cloud, "198.51.100.1/32")

    assert let_in(cloud, group) == {"203.0.113.8/32", "198.51.100.1/32"}


def test_a_group_that_is_not_visible_yet_is_waited_for(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.fail("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound", times=3)
    fake_ec2.fail("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", after=True)

    assert let_in(cloud, ensure(cloud, "203.0.113.7/32")) == {"203.0.113.7/32"}


def test_a_group_that_another_client_makes_at_the_same_time_is_used(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.fail("CreateSecurityGroup", "InvalidGroup.Duplicate", after=True)

    assert let_in(cloud, ensure(cloud, "203.0.113.7/32")) == {"203.0.113.7/32"}


def test_a_foreign_group_of_our_name_is_left_alone(cloud: Cloud) -> None:
    cloud.call("ec2", "CreateSecurityGroup", GroupName="launcher me", Description="x", VpcId=vpc_of(cloud))

    with pytest.raises(AwsError, match="did not make"):
        ensure(cloud, "203.0.113.7/32")


def test_a_group_is_deleted_when_no_machine_uses_it(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    group = ensure(cloud, "203.0.113.7/32")
    fake_ec2.fail("DeleteSecurityGroup", "DependencyViolation")
    fake_ec2.fail("DeleteSecurityGroup", "UnauthorizedGroup")

    assert not security.delete_group(cloud, group)
    with pytest.raises(AwsRefusedError):
        security.delete_group(cloud, group)
    assert security.delete_group(cloud, group)
    assert security.delete_group(cloud, group)


def test_this_computers_address_is_what_amazon_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = tmp_path / "said"
    monkeypatch.setattr(security, "_CHECK", said.as_uri())

    said.write_text("203.0.113.7\n")
    assert security.my_address() == "203.0.113.7/32"
    said.write_text("<html>")
    with pytest.raises(UsageError, match="can't be found out"):
        security.my_address()


# Machines


def test_what_is_unknown_is_gone_only_if_it_was_seen_before(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    fake_ec2.timing.hide_s = 40
    started = fake_ec2.now()
    machine = try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.timing.hide_s = 10_000

    left = machines.end(cloud, [machine.id])

    assert left == ()
    assert not fake_ec2.alive()
    assert fake_ec2.now() - started > 60
    assert machines.wait_gone(cloud, ["i-00000000000000000"]) == ()


def test_an_end_is_asked_for_until_it_is_there(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.timing.stop_s = 30
    machine = try_launch(fake_ec2, cloud, tmp_path)
    fake_ec2.fail("TerminateInstances", "InternalError", status=500, times=20)
    fake_ec2.fail("DescribeInstances", "InternalError", status=500, times=9)

    assert machines.end(cloud, [machine.id]) == ()
    assert not fake_ec2.alive()


def test_what_does_not_end_is_named(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    fake_ec2.timing.stop_s = 10_000
    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert machines.end(cloud, [machine.id], patience_s=60) == (machine.id,)


def test_a_machine_that_never_runs_is_unclear(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    fake_ec2.timing.boot_s = 10_000

    attempt = make_attempt(request(fake_ec2), offers(fake_ec2)[0], number=0, now=cloud.clock())
    machine_id = cloud.call_once("ec2", "RunInstances", **as_sent(attempt))["Instances"][0]["InstanceId"]

    with pytest.raises(AwsUnclearError):
        machines.wait_running(cloud, machine_id, patience_s=9)
    fake_ec2.power_off(machine_id)
    with pytest.raises(AwsCapacityError):
        machines.wait_running(cloud, machine_id)


def test_a_tag_can_be_given_later_and_a_key_let_in(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)

    machines.set_tag(cloud, machine.id, tags.HOST_KEY, "ssh-ed25519 AAAA")
    connect.send_public_key(cloud, machine, user="launcher", public_key=KEY)

    assert machines.describe(cloud, machine.id).host_key == "ssh-ed25519 AAAA"
    assert machine.host_key is None
    assert not machine.is_ending


def test_a_deadline_that_cannot_be_read_is_none() -> None:
    assert tags.expiry({tags.EXPIRES: "soon"}) is None
    assert tags.expiry({}) is None
    assert tags.expiry({tags.EXPIRES: "2026-11-21T09:00:00"}) == datetime(2026, 11, 21, 9, tzinfo=UTC)


# Disks


def test_a_kept_disk_goes_to_another_machine_and_away(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    first = try_launch(fake_ec2, cloud, tmp_path)
    machines.end(cloud, [first.id])
    (disk,) = volumes.find_volumes(cloud, batch=BATCH)
    volumes.wait_free(cloud, disk.id)
    second = try_launch(fake_ec2, cloud, tmp_path, batch="another")

    volumes.attach_volume(cloud, disk.id, machine=second.id)
    volumes.attach_volume(cloud, disk.id, machine=second.id)
    assert volumes.describe_volume(cloud, disk.id).machine == second.id
    third = try_launch(fake_ec2, cloud, tmp_path, batch="a third")
    with pytest.raises(AwsRefusedError, match="VolumeInUse"):
        volumes.attach_volume(cloud, disk.id, machine=third.id)
    assert not volumes.delete_when_free(cloud, disk.id, patience_s=4)
    volumes.detach_volume(cloud, disk.id)
    volumes.detach_volume(cloud, disk.id)
    assert volumes.delete_when_free(cloud, disk.id)
    volumes.delete_volume(cloud, disk.id)
    assert disk.expires_at == first.expires_at


def test_a_disk_that_will_not_delete_is_reported(fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    (disk,) = machine.volumes.values()

    with pytest.raises(AwsUnclearError):
        volumes.wait_free(cloud, disk, patience_s=4)
    fake_ec2.fail("DeleteVolume", "InternalError", status=500, times=8)
    fake_ec2.fail("DeleteVolume", "OperationNotPermitted")
    with pytest.raises(AwsRefusedError):
        volumes.delete_when_free(cloud, disk)
    fake_ec2.fail("DetachVolume", "OperationNotPermitted")
    with pytest.raises(AwsRefusedError):
        volumes.detach_volume(cloud, disk)


# Schedules


def test_a_schedule_ends_a_machine_some_minutes_after_its_deadline(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path
) -> None:
    machine = try_launch(fake_ec2, cloud, tmp_path)
    assert machine.expires_at is not None
    made = {
        schedules.create_schedule(
            cloud, batch=BATCH, machine_id=machine.id, deadline=machine.expires_at, role=ROLE
        )
        for _ in range(2)
    }

    (found,) = schedules.find_schedules(cloud)
    assert {found.name} == made
    assert found.machine == machine.id
    assert found.at is not None
    assert timedelta(minutes=5) < found.at - machine.expires_at <= timedelta(minutes=6)
    fake_ec2.advance((machine.expires_at - cloud.clock()).total_seconds() + 60)
    assert fake_ec2.alive()
    fake_ec2.advance(360)
    assert not fake_ec2.alive()
    assert not schedules.find_schedules(cloud)


def test_a_schedule_is_taken_away_once_or_twice(fake_ec2: FakeEc2, cloud: Cloud) -> None:
    at = datetime.fromtimestamp(fake_ec2.now(), tz=UTC) + timedelta(hours=1)
    name = schedules.create_schedule(cloud, batch="x" * 80, machine_id="i-0123", deadline=at, role=ROLE)

    schedules.delete_schedule(cloud, name)
    schedules.delete_schedule(cloud, name)

    assert len(name) == 64
    assert not schedules.find_schedules(cloud)


# Bucket


@pytest.fixture
def results(cloud: Cloud) -> str:
    where = {"LocationConstraint": "us-west-2"}
    cloud.call("s3", "CreateBucket", Bucket="results", CreateBucketConfiguration=where)
    return "results"


def upload(form: bucket.Form, name: str, content: bytes) -> None:
    fields = {**form.fields, "key": form.prefix + name}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    request = urllib.request.Request(
        form.url,
        data="".join([*parts, file]).encode() + content + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def test_what_is_put_with_a_form_comes_home(cloud: Cloud, results: str, tmp_path: Path) -> None:
    until = cloud.clock() + timedelta(hours=9)
    form = bucket.make_form(cloud, results, prefix="b1/", max_bytes=100, until=until)

    upload(form, "runs/a b/log.txt", b"hello")
    (stored,) = bucket.list_stored(cloud, results, prefix="b1/")
    digest = bucket.download(cloud, results, prefix="b1/", path=stored.path, to=tmp_path)

    assert (stored.path, stored.size) == ("runs/a b/log.txt", 5)
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert (tmp_path / "runs/a b/log.txt").read_bytes() == b"hello"
    assert [path.name for path in (tmp_path / "runs/a b").iterdir()] == ["log.txt"]
    with pytest.raises(urllib.error.HTTPError) as error:
        upload(form, "large", b"x" * 101)
    error.value.close()


def test_a_form_lasts_no_longer_than_what_signs_it(cloud: Cloud, results: str) -> None:
    now = cloud.clock()

    def ends(until: datetime, credentials: datetime | None = None) -> timedelta:
        form = bucket.make_form(
            cloud, results, prefix="b/", max_bytes=1, until=until, credentials_end=credentials
        )
        return form.expires_at - now

    assert ends(now + timedelta(days=30)) < timedelta(days=7, minutes=1)
    assert ends(now + timedelta(hours=9), now + timedelta(hours=1)) < timedelta(hours=1, minutes=1)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(
    cloud: Cloud, results: str, tmp_path: Path, path: str
) -> None:
    with pytest.raises(UsageError):
        bucket.download(cloud, results, prefix="b1/", path=path, to=tmp_path)


def test_a_download_that_fails_leaves_nothing(cloud: Cloud, results: str, tmp_path: Path) -> None:
    with pytest.raises(AwsError):
        bucket.download(cloud, results, prefix="b1/", path="none", to=tmp_path)

    assert not list(tmp_path.iterdir())


# Regions


def test_regions_that_were_used_are_remembered(tmp_path: Path) -> None:
    regions.remember_region(tmp_path, "eu-west-1")
    regions.remember_region(tmp_path, "us-east-1")
    regions.remember_region(tmp_path, "eu-west-1")

    assert regions.used_regions(tmp_path) == ("eu-west-1", "us-east-1")
    assert regions.regions_to_look_at(tmp_path, settings=["us-east-1"], default="us-west-2") == (
        "us-east-1",
        "eu-west-1",
        "us-west-2",
    )
    (tmp_path / "regions.json").write_text("{}")
    assert regions.used_regions(tmp_path) == ()
    (tmp_path / "regions.json").write_text("{")
    assert regions.regions_to_look_at(None, settings=[], default=None) == regions.used_regions(tmp_path) == ()
