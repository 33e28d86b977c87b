"""A disk that fills up: the run says so, every state stays readable, the batch goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.broken.kit import Project, states_on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root
FILL = 'if test ! -e "$TALLY/roomy"; then dd if=/dev/zero of="$LAUNCHER_OUTPUT/fill" bs=64k; exit 1; fi'


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project whose home is a disk of 8 MB."""
    project = Project(tmp_path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(project.home)], check=True)
    try:
        yield project
        assert project.clear_away() == set()
    finally:
        subprocess.run(["umount", "-l", str(project.home)], check=True)


def argv(script: str) -> list[str]:
    return ["sh", "-c", script, "{params}"]


def make_room(project: Project) -> None:
    (project.tally / "roomy").touch()
    for path in project.home.glob("batches/*/runs/*/outputs/fill*"):
        path.unlink()


def test_a_run_that_fills_the_disk_fails_for_that_reason_and_the_batch_goes_on(small: Project) -> None:
    first, bad = small.job(runs=2, name="first"), small.job(argv(FILL), name="bad")
    last = small.job(runs=3, name="last")
    batch = small.submit(first, bad, last)

    small.settle(batch)
    said = small.check(batch)

    assert [run["state"] for run in said["runs"][:3]] == ["succeeded", "succeeded", "failed"]
    assert "the disk is full" in said["runs"][2]["reason"]
    for run in said["runs"][3:]:
        assert run["state"] in {"succeeded", "failed", "queued", "interrupted"}
        assert run["state"] != "failed" or "the disk is full" in run["reason"], run
    done = small.remember(batch)
    assert len(done) >= 2
    make_room(small)
    small.resume(batch, "--failed")
    small.check_end(batch)
    assert {small.begun(batch, run) for run in done} == {1}


def test_a_log_that_fills_the_disk_keeps_what_fitted(small: Project) -> None:
    script = 'test -e "$TALLY/roomy" || head -c 20000000 /dev/zero'
    batch = small.submit(small.job(argv(script), name="bad"), small.job(name="good"))

    small.settle(batch)
    said = small.check(batch)

    assert said["runs"][0]["state"] == "failed"
    assert "the disk is full" in said["runs"][0]["reason"]
    log = batch / "runs" / said["runs"][0]["id"] / "log.txt"
    assert log.stat().st_size > 2**20
    log.write_bytes(b"")
    (small.tally / "roomy").touch()
    small.resume(batch, "--failed")
    small.check_end(batch)


def test_a_disk_that_is_full_from_the_start_refuses_a_submit_and_takes_it_later(small: Project) -> None:
    (small.home / "fill").write_bytes(bytes(8 * 2**20 - 16 * 4096))
    file = small.job(code={"large.bin": bytes(2**20)})

    done = small.call("submit", file, "--detach", code=None)

    assert done.returncode not in {0, 70}
    assert "disk" in done.stderr or "space" in done.stderr
    (small.home / "fill").unlink()
    small.check_end(small.submit(file))


@pytest.mark.parametrize("free_kb", [40, 300, 1000, 1050, 4500])
def test_the_runner_does_not_take_the_last_room_from_its_runs(small: Project, free_kb: int) -> None:
    file = small.job(runs=2)
    small.settle(small.submit(file))
    room = os.statvfs(small.home)
    (small.home / "fill").write_bytes(bytes(room.f_bavail * room.f_frsize - free_kb * 1024))

    batch = small.submit(file)
    small.settle(batch)
    said = small.check(batch)

    if free_kb > 100:
        assert [run["state"] for run in said["runs"]] == ["succeeded"] * 2
    assert {run["attempts"] for run in said["runs"]} == {1}
    (small.home / "fill").unlink()


def test_a_disk_without_room_for_a_batch_or_a_request_is_told(small: Project) -> None:
    file = small.job()
    small.check_end(small.submit(file))
    batch = small.submit(small.job(argv("sleep 60")))
    small.call("stop", batch.name)
    small.settle(batch)  # a runner that leaves gives its ballast back
    room = os.statvfs(small.home)
    with (small.home / "fill").open("wb", buffering=0) as fill:
        fill.write(bytes(room.f_bavail * room.f_frsize))

    resumed = small.call("resume", batch.name, code=3)
    # Enough for the two files of the job and for nothing that is written behind them.
    os.truncate(small.home / "fill", (small.home / "fill").stat().st_size - 8 * 1024)
    submitted = small.call("submit", file, code=2)

    assert "No space left on device" in resumed.stderr
    assert "No space left on device" in submitted.stderr
    (small.home / "fill").unlink()


def test_a_runner_killed_on_a_full_disk_loses_nothing(small: Project) -> None:
    # A log that can't be written would end the run before its runner is killed.
    fill_and_stay = FILL.replace("bs=64k", "bs=64k 2>/dev/null").replace(
        "exit 1", 'touch "$TALLY/full"; sleep 60'
    )
    first, bad = small.job(runs=2, name="first"), small.job(argv(fill_and_stay), name="bad")
    batch = small.submit(first, bad)
    small.wait_for(batch, (small.tally / "full").exists)
    done = small.remember(batch)
    (runner,) = small.runners(batch)

    subprocess.run(["kill", "-9", str(runner)], check=True)
    small.settle(batch)
    said = small.check(batch)

    assert [run["state"] for run in said["runs"]] == ["succeeded", "succeeded", "interrupted"]
    assert set(states_on_disk(batch)) == {run["id"] for run in said["runs"]}
    make_room(small)
    small.bring_to_end(batch)
    assert {small.begun(batch, run) for run in done} == {1}
