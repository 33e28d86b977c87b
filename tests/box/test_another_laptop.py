"""A batch is come back to from another computer of the same account."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import HOME
from tests.faults.night import Night, expected_output, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.box.box import Box
    from tests.fake_ec2 import FakeEc2

pytestmark = pytest.mark.root


def submitted(fake_ec2: FakeEc2, box: Box, folder: Path) -> tuple[Night, Path]:
    """Submit a batch and leave it alone. Returns: the night, and the batch's folder."""
    night = Night(fake_ec2, box, folder)
    assert night.run("submit", "hello.yaml", "--on", "ec2", "--yes", "--detach") == 0, night.said
    assert night.batch is not None
    return night, night.batch


def test_another_laptop_attaches_brings_all_home_and_ends_the_machine(
    fake_ec2: FakeEc2, box: Box, tmp_path: Path
) -> None:
    night, batch = submitted(fake_ec2, box, tmp_path)
    shutil.rmtree(night.project / ".launcher")  # whoever sits here now has never seen it

    fake_ec2.gate.denied.add("ec2-instance-connect:*")
    denied = night.run("attach", batch.name)
    said_denied = night.said
    fake_ec2.gate.denied.clear()
    code = night.run("attach", batch.name[:13])

    assert denied == 3, said_denied
    assert "EC2 Instance Connect is needed" in said_denied
    assert code == 0, night.said
    assert night.states == ["succeeded"] * 2
    outputs = sorted(path.read_bytes() for path in batch.glob("runs/*/outputs/out.bin"))
    assert outputs == [expected_output("--a=1"), expected_output("--a=2")]
    assert (batch / "code" / "hello" / "train.py").is_file()
    assert (fake_ec2.alive(), fake_ec2.volumes()) == ([], {})
    [machine] = json.loads((batch / "place.json").read_text())["machines"]
    assert machine["ended_at"]


def test_another_laptop_recovers_what_only_a_kept_disk_knows_also_where_it_was_killed_once(
    fake_ec2: FakeEc2, box: Box, tmp_path: Path
) -> None:
    night, batch = submitted(fake_ec2, box, tmp_path)
    _wait_for_end_of_first_run(night, batch.name)
    night.machine.power_cut()
    fake_ec2.power_off(night.instance)
    shutil.rmtree(night.project / ".launcher")

    killed = night.start("recover", batch.name[:13])
    assert wait_until(lambda: "reads the disk" in night.said, timeout_s=120), night.said
    killed.kill()
    killed.wait()

    code = night.run("recover", batch.name[:13])

    assert code == 0, night.said
    assert night.states[0] == "succeeded"
    assert (batch / "code" / "hello" / "train.py").is_file()
    (output,) = batch.glob("runs/hello-0000-*/outputs/out.bin")
    assert output.read_bytes() == expected_output("--a=1")
    assert (fake_ec2.alive(), fake_ec2.volumes()) == ([], {})
    assert list((night.project / ".launcher" / "keys").iterdir()) == []


def _wait_for_end_of_first_run(night: Night, batch: str) -> None:
    state = f"{HOME}/batches/{batch}/runs/hello-0000-*/state.json"
    is_there = ("sh", "-c", f"grep -q succeeded {state} && sync")
    assert wait_until(lambda: night.machine.inside(*is_there).returncode == 0, timeout_s=90)
