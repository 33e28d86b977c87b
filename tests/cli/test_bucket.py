"""A machine's copies in a bucket: put there by the real uploader, brought home when the machine is gone."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from launcher.aws.bucket import list_stored
from launcher.nodes.local import LocalNode
from launcher.targets.ec2_bucket import prefix_of, start_uploads
from tests.cli.kit import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from tests.cli.kit import Project
    from tests.fake_ec2 import FakeEc2

BUCKET = "results"
GONE: dict[str, Any] = {
    "machine": "i-0123456789abcdef0",
    "region": "us-west-2",
    "zone": "us-west-2a",
    "type": "g6.xlarge",
    "market": "on-demand",
    "usd_per_hour": 1.0,
    "launched_at": "2026-11-25T00:00:00+00:00",
    "expires_at": "2026-11-25T02:00:00+00:00",
    "ended_at": "2026-11-25T01:00:00+00:00",
    "address": "192.0.2.1",
    "volume": "",
    "key": "none",
}


@pytest.fixture
def uploaded(project: Project, fake_ec2: FakeEc2, cloud: Cloud) -> Path:
    """Return a batch whose machine is gone, and of which only the bucket has all."""
    s3 = boto3.client("s3", region_name="us-west-2", endpoint_url=fake_ec2.endpoint)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    batch = project.submit(project.job("echo said; echo result > result.txt", repeats=2))
    project.good("attach")
    told: list[str] = []
    until = datetime.now(UTC) + timedelta(hours=1)
    node = LocalNode(project.home)
    start_uploads(node, batch.name, cloud=cloud, bucket=BUCKET, until=until, tell=told.append)
    prefix = prefix_of(batch.name)
    wait_for(lambda: "manifest.json" in {each.path for each in list_stored(cloud, BUCKET, prefix=prefix)})
    assert f"until {until:%Y-%m-%d %H:%M} UTC, when that permission expires" in told[0]
    (batch / "place.json").write_text(json.dumps({"on": "ec2", "machines": [GONE]}))
    for path in ("events.jsonl", "manifest.json", "runner.json"):
        (batch / path).unlink()
    return batch


def contents(batch: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(batch)): path.read_bytes()
        for path in batch.glob("runs/**/*")
        if path.is_file() and path.name != "run.json"
    }


def test_what_is_not_home_comes_from_the_bucket_whole(
    project: Project, uploaded: Path, fake_ec2: FakeEc2
) -> None:
    before = contents(uploaded)
    first, second = sorted((uploaded / "runs").iterdir())
    shutil.rmtree(first)
    (second / "log.txt").write_text("sa")
    (second / "outputs" / "result.txt").write_text("mine")
    env = {**fake_ec2.environ(), "LAUNCHER_BUCKET": BUCKET}

    done = project.launcher("pull", env=env)

    assert done.code == 0, done
    assert "2 ended runs at home" in done.out
    after = contents(uploaded)
    assert (second / "outputs" / "result.txt").read_text() == "mine"
    [beside] = second.glob("outputs/result.txt.remote-*")
    assert beside.read_text() == "result\n"
    kept = {f"runs/{second.name}/outputs/result.txt", f"runs/{second.name}/outputs/{beside.name}"}
    assert {path: after[path] for path in after.keys() - kept} == {
        path: before[path] for path in before.keys() - kept
    }
    assert project.states() == ["succeeded"] * 2
    journal = uploaded / "events.jsonl"
    with journal.open("a") as file:
        file.write('{"event": "later"}\n')
    assert project.launcher("pull", env=env).code == 0
    assert journal.read_text().endswith('{"event": "later"}\n'), "home knew more"


def test_a_file_in_the_bucket_that_is_another_is_named_as_missing(
    project: Project, uploaded: Path, fake_ec2: FakeEc2
) -> None:
    run = min((uploaded / "runs").iterdir())
    shutil.rmtree(run)
    s3 = boto3.client("s3", region_name="us-west-2", endpoint_url=fake_ec2.endpoint)
    key = f"{prefix_of(uploaded.name)}runs/{run.name}/outputs/result.txt"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"another")

    done = project.launcher("pull", env={**fake_ec2.environ(), "LAUNCHER_BUCKET": BUCKET})

    assert done.code == 4, done
    assert "result.txt: it is not at home" in done.err
    assert not (run / "outputs" / "result.txt").exists()
