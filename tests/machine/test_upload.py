"""The uploader, against the stand-in for S3, which looks at the form's policy and signature."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import boto3
import pytest

from launcher.aws.bucket import list_stored, make_form
from launcher.machine import upload
from launcher.machine.upload import ExpiredError, Form, RefusedError, Uploader, read_form
from tests.runner.kit import Home, Job

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2
    from tests.runner.kit import Frozen

FORM = Form("http://127.0.0.1/", {}, "p/", 100_000, 100.0)
RUN = "job-0000-00000000"


@pytest.fixture
def batch(tmp_path: Path) -> Frozen:
    """A batch whose first run has ended and whose second has not begun."""
    batch = Home(tmp_path).freeze(Job(runs=2))
    put(batch, 0, "succeeded", {"log.txt": b"hello\n", "outputs/a b's/model": b"\0\1", "work/junk": b"no"})
    return batch


def put(batch: Frozen, run: int, state: str, files: dict[str, bytes]) -> None:
    for name, content in {**files, "state.json": json.dumps({"state": state}).encode()}.items():
        path = batch.run_folder(run) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Bucket:
    """Takes what it is sent, unless it has an error to give."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.errors: dict[str, Exception] = {}

    def __call__(self, _form: Form, path: str, file: BinaryIO, size: int) -> None:
        if path in self.errors:
            raise self.errors[path]
        assert len(file.read()) == size
        self.got.append(path)


def test_it_fills_the_bucket_with_what_finished_and_ends_when_all_is_there(
    batch: Frozen, cloud: Cloud, fake_ec2: FakeEc2, tmp_path: Path
) -> None:
    s3 = boto3.client("s3", region_name="us-west-2", endpoint_url=fake_ec2.endpoint)
    s3.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    until = cloud.clock() + timedelta(hours=1)
    form = make_form(cloud, "results", prefix="b1/", max_bytes=10_000, until=until)
    values = {**asdict(form), "expires_at": form.expires_at.isoformat()}
    (tmp_path / "form.json").write_text(json.dumps(values))
    put(batch, 1, "failed", {"outputs/large": bytes(10_001), "log.txt": bytes(9_000)})
    (batch.folder / "manifest.json").write_text("{}")

    argv = [
        sys.executable,
        "-I",
        "-S",
        str(Path(upload.__file__)),
        str(batch.folder),
        str(tmp_path / "form.json"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert "10001 bytes are more than the form allows" in done.stderr
    first, second = (f"runs/{run}" for run in batch.ids)
    stored = {each.path: each.size for each in list_stored(cloud, "results", prefix="b1/")}
    assert set(stored) == {
        "plan.json",
        "manifest.json",
        *(f"{first}/{name}" for name in ("log.txt", "state.json", "outputs/a b's/model")),
        *(f"{second}/{name}" for name in ("log.txt", "state.json")),
    }
    assert stored[f"{second}/log.txt"] == 9_000


def test_of_an_open_run_only_whole_checkpoints_go_up(batch: Frozen) -> None:
    put(batch, 1, "running", {"log.txt": b"half", "checkpoint/0.ckpt": b"c", "checkpoint/0.ckpt.new": b"h"})
    bucket = Bucket()

    Uploader(str(batch.folder), FORM, send=bucket).send_new()

    assert [path for path in bucket.got if batch.ids[1] in path] == [f"runs/{batch.ids[1]}/checkpoint/0.ckpt"]


def test_a_state_goes_up_last_and_nothing_goes_up_twice_unless_it_changed(batch: Frozen) -> None:
    bucket = Bucket()
    Uploader(str(batch.folder), FORM, send=bucket).send_new()
    first = list(bucket.got)

    later = Uploader(str(batch.folder), FORM, send=bucket)
    later.send_new()
    put(batch, 0, "failed", {})
    later.send_new()

    assert first[-1] == f"runs/{RUN}/state.json"
    assert bucket.got == [*first, f"runs/{RUN}/state.json"]


def test_links_and_pipes_are_passed_over(batch: Frozen) -> None:
    outputs = batch.run_folder(0) / "outputs"
    (outputs / "link").symlink_to("/etc/passwd")
    (outputs / "gone").symlink_to("nowhere")
    subprocess.run(["mkfifo", str(outputs / "pipe")], check=True)
    bucket = Bucket()

    assert Uploader(str(batch.folder), FORM, send=bucket).send_new()
    assert [path for path in bucket.got if "outputs" in path] == [f"runs/{RUN}/outputs/a b's/model"]


def test_what_could_not_be_sent_is_tried_again_and_what_was_refused_is_not(batch: Frozen) -> None:
    bucket = Bucket()
    bucket.errors = {"plan.json": OSError("reset"), f"runs/{RUN}/log.txt": RefusedError("never")}
    uploader = Uploader(str(batch.folder), FORM, send=bucket)

    assert not uploader.send_new()
    bucket.errors.clear()
    assert uploader.send_new()
    assert "plan.json" in bucket.got
    assert f"runs/{RUN}/state.json" in bucket.got
    assert f"runs/{RUN}/log.txt" not in bucket.got


def test_the_state_of_a_run_waits_for_all_of_the_run(batch: Frozen) -> None:
    bucket = Bucket()
    bucket.errors = {f"runs/{RUN}/outputs/a b's/model": OSError("reset")}
    uploader = Uploader(str(batch.folder), FORM, send=bucket)

    assert not uploader.send_new()
    assert f"runs/{RUN}/state.json" not in bucket.got


def test_it_stops_when_the_form_ends(batch: Frozen) -> None:
    waits: list[float] = []
    bucket = Bucket()
    uploader = Uploader(str(batch.folder), FORM, send=bucket)

    assert not uploader.work(now=lambda: sum(waits), sleep=waits.append, every_s=30.0)
    assert waits == [30.0] * 4
    bucket.errors["events.jsonl"] = ExpiredError("Policy expired")
    (batch.folder / "events.jsonl").write_text("{}\n")
    assert not uploader.work(now=lambda: 0.0, sleep=waits.append, every_s=30.0)


@pytest.mark.parametrize(
    ("status", "error"),
    [(204, None), (403, ExpiredError), (400, RefusedError), (503, OSError)],
)
def test_answers_are_told_apart(status: int, error: type[Exception] | None) -> None:
    def judge() -> None:
        upload._judge(status, "why")

    if error is None:
        judge()
    else:
        with pytest.raises(error):
            judge()


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(RefusedError):
        upload._around(FORM, "outputs/\udcff", "b")


def test_a_file_that_shrinks_breaks_the_upload_off(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with (tmp_path / "file").open("rb") as file, pytest.raises(OSError, match="shorter"):
        list(upload._body(b"", file, 4, b""))


@pytest.mark.parametrize("text", ["", "{}", '{"url": 1, "expires_at": "no"}'])
def test_a_form_that_is_none_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "form").write_text(text)

    assert upload.main(str(tmp_path), str(tmp_path / "form")) == 2
    with pytest.raises((ValueError, KeyError)):
        read_form(str(tmp_path / "form"))
