"""A real machine fills a bucket by itself, and what it put there outlives both the machine and its disk."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest

from tests.bench.delay import delayed
from tests.faults.night import Night, expected_output, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.box.box import Box
    from tests.fake_ec2 import FakeEc2

pytestmark = pytest.mark.root
BUCKET = "results"
ADDRESS = "10.77.255.1"  # of this computer, as machines see it


@contextmanager
def seen_from_machines(fake: FakeEc2) -> Iterator[str]:
    """Let machines come to the account's S3. Yields: its address."""
    subprocess.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
    try:
        with delayed(int(urlsplit(fake.endpoint).port or 0), one_way_s=0.0, address=ADDRESS) as line:
            yield f"http://{ADDRESS}:{line.port}"
    finally:
        subprocess.run(["ip", "address", "delete", f"{ADDRESS}/32", "dev", "lo"], check=True)


def test_a_batch_comes_from_the_bucket_when_machine_and_disk_are_gone(
    fake_ec2: FakeEc2, box: Box, tmp_path: Path
) -> None:
    s3 = boto3.client("s3", region_name="us-west-2", endpoint_url=fake_ec2.endpoint)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    with seen_from_machines(fake_ec2) as endpoint:
        night = Night(fake_ec2, box, tmp_path)
        night.environ = {"AWS_ENDPOINT_URL_S3": endpoint, "LAUNCHER_BUCKET": BUCKET}

        code = night.run("submit", "hello.yaml", "--on", "ec2", "--yes", "--detach")

        assert code == 0, night.said
        assert f"results are copied to s3://{BUCKET}/launcher/" in night.said
        assert wait_until(lambda: any(key.endswith("/manifest.json") for key in keys(s3)), timeout_s=120)
        lose_machine_and_disk(night)
        code = night.run("pull")

    assert code == 0, night.said
    assert night.states == ["succeeded"] * 2
    assert night.batch is not None
    outputs = sorted(path.read_bytes() for path in night.batch.glob("runs/*/outputs/out.bin"))
    assert outputs == [expected_output("--a=1"), expected_output("--a=2")]


def keys(s3: Any) -> list[str]:
    answer = s3.list_objects_v2(Bucket=BUCKET)
    return [row["Key"] for row in answer.get("Contents", ())]


def lose_machine_and_disk(night: Night) -> None:
    night.machine.power_cut()
    night.fake.power_off(night.instance)
    client = boto3.client("ec2", region_name="us-west-2", endpoint_url=night.fake.endpoint)
    for volume in night.fake.volumes():
        client.delete_volume(VolumeId=volume)
