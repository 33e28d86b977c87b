"""A spot machine that is taken away: the notice, and what becomes of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import make_user_data
from tests.box.kit import bring_batch, wait_for
from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.box.box import Box
    from tests.box.kit import Keys

pytestmark = pytest.mark.root


def test_on_notice_runs_end_with_grace_and_nothing_is_started_again(
    box: Box, keys: Keys, tmp_path: Path
) -> None:
    machine = box.boot("i-spot", user_data=make_user_data(keys.birth(spot=True, lost_s=3)))
    wait_for(machine, "test -f /var/lib/launcher/ready")
    graceful = "trap 'echo saved > kept; exit 0' TERM; while :; do sleep 0.1; done"
    batch = bring_batch(machine, tmp_path, Job(run=graceful, runs=2))
    batch.wait_for_states("running", "queued")

    machine.notice_spot(at="2026-11-21T03:00:00Z")
    batch.wait_for_states("interrupted", "queued")
    wait_for(machine, "test -f /home/runner/.launcher/interruption.json")
    ticked = machine.inside("stat", "-c", "%Y", "/var/lib/launcher/life.json").stdout.strip()
    wait_for(machine, f"test $(stat -c %Y /var/lib/launcher/life.json) -gt $(({ticked} + 5))")

    assert batch.states() == ["interrupted", "queued"]
    notice = json.loads(machine.inside("cat", "/home/runner/.launcher/interruption.json").stdout)
    assert notice == {"action": "terminate", "time": "2026-11-21T03:00:00Z"}
    kept = f"{batch.path}/runs/{batch.frozen.ids[0]}/outputs/kept"
    assert machine.inside("cat", kept).stdout == "saved\n"
