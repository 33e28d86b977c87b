"""A full disk fails the run with that reason, keeps every state readable, and stops no batch."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.runner.kit import Home, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="a small disk is mounted as root on Linux"
    ),
]

FILL = "cat /dev/zero > fill 2> /dev/null"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    disk, homes = tmp_path / "disk", []
    disk.mkdir()

    def mount(options: str) -> Home:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(disk)], check=True)
        homes.append(Home(disk))
        return homes[-1]

    yield mount
    left = {pid for home in homes for pid in home.clear_away()}
    subprocess.run(["umount", str(disk)], check=True)
    assert left == set()


def test_a_run_that_fills_the_disk_fails_with_that_reason_and_the_batch_goes_on(
    small: Callable[..., Home],
) -> None:
    batch = small("size=6m").freeze(
        Job("echo before > x", name="before"),
        Job(f"{FILL}; rm -rf none; exit 1", name="fills", retries=1),
        Job("sleep 0.1; echo after > x", name="after"),
    )

    batch.run()

    # Its outputs are kept, so the disk stays full and who comes after may fail for that.
    assert batch.state(0)["state"] == "succeeded"
    assert (batch.state(1)["state"], batch.state(1)["attempt"]) == ("failed", 2)
    assert "the disk is full" in batch.reason(1)
    assert batch.state(2)["state"] in ("succeeded", "failed", "queued")
    assert batch.outputs(0) == {"x": b"before\n"}


FILL = "cat /dev/zero > /dev/null & cat /dev/zero > ../../../fill"


def test_room_that_comes_back_is_used(small: Callable[..., Home]) -> None:
    batch = small("size=6m").freeze(
        # What it leaves is less than counts as room, and enough to start the one that makes some.
        Job(f"{FILL}; truncate -s -48K ../../../fill; exit 1", name="fills"),
        Job("rm ../../../fill; echo room > x", name="frees", runs=3),
    )

    batch.run()

    assert batch.states() == ["failed", "succeeded", "succeeded", "succeeded"]
    assert "the disk is full" in batch.reason(0)
    assert set(batch.manifest()) >= {f"runs/{run}/state.json" for run in batch.ids}


def test_a_log_that_fills_the_disk_ends_its_run(small: Callable[..., Home]) -> None:
    batch = small("size=6m").freeze(Job("cat /dev/zero", name="loud"), Job(name="next"))

    batch.run()

    assert (batch.state(0)["state"], batch.reason(0)) == (
        "failed",
        "the disk is full: the log could not be written",
    )
    assert batch.state(0)["signal"] is not None


def test_last_words_that_found_no_room_fail_a_run_that_else_succeeded(small: Callable[..., Home]) -> None:
    batch = small("size=6m").freeze(
        Job("cat /dev/zero > ../../../fill 2> /dev/null; echo last words; exit 0")
    )

    batch.run()

    assert batch.states() == ["failed"]
    assert batch.reason() == "the disk is full: the log could not be written"


@pytest.mark.parametrize("inodes", [30, 31, 32, 60])  # with one left a run might begin, and no more
def test_without_a_single_inode_left_the_batch_ends_all_the_same(
    small: Callable[..., Home], inodes: int
) -> None:
    batch = small(f"size=6m,nr_inodes={inodes}").freeze(
        Job("i=0; while : > ../../../fill$i; do i=$((i+1)); done 2> /dev/null; exit 1", name="fills"),
        Job("true", name="none", runs=3),
    )

    batch.run()

    assert batch.states()[0] == "failed"
    assert batch.reason(0).startswith("the disk is full (exit code")
    assert set(batch.states()[1:]) <= {"failed", "queued"}
    assert batch.events("batch_ended") != []


def test_a_disk_that_is_full_before_the_runner_comes_takes_nothing(small: Callable[..., Home]) -> None:
    home = small("size=2m")
    batch = home.freeze(Job("true", runs=2))
    batch.run()
    before = [batch.state(run) for run in range(2)]
    subprocess.run(["dd", "if=/dev/zero", f"of={home.path / 'fill'}"], check=False, capture_output=True)

    batch.run()

    assert [batch.state(run) for run in range(2)] == before
