"""Every way in which a machine ends itself, on real machines: nobody at home, nobody to ask."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import make_user_data
from tests.box.kit import wait_for

if TYPE_CHECKING:
    from tests.box.box import Box
    from tests.box.kit import Keys
    from tests.box.machine import BoxMachine

pytestmark = pytest.mark.root
LIFE_S = 30
LONG_S = 100_000


def test_a_machine_that_nobody_looks_after_ends_itself_and_its_disk_says_why(box: Box, keys: Keys) -> None:
    births = {
        "deadline": keys.birth(granted_s=LIFE_S),
        "clock": keys.birth(granted_s=LIFE_S, deadline_at=keys.birth(granted_s=LONG_S).deadline_at),
        "lease": keys.birth(lease_s=5),
    }
    user_data = {name: make_user_data(birth) for name, birth in births.items()}
    user_data["broken"] = _break(user_data["deadline"])

    machines = {name: box.boot(f"i-{name}", user_data=data) for name, data in user_data.items()}
    ended = {name: machine.wait_off(180) for name, machine in machines.items()}

    assert ended == dict.fromkeys(machines, True)
    reasons = {name: _reason(box, machine) for name, machine in machines.items()}
    assert reasons == {
        "deadline": "the deadline\n",
        "clock": "the deadline\n",
        "lease": "the lease is over\n",
        "broken": "the deadline\n",
    }


def test_without_a_python_that_starts_systemd_alone_pulls_the_plug(box: Box, keys: Keys) -> None:
    machine = box.boot("i-no-python", user_data=make_user_data(keys.birth()))
    wait_for(machine, "test -f /var/lib/launcher/ready")
    # As if it had been born so: the deadman's program is gone, and the end of its time is near.
    machine.inside("rm", "-r", "/usr/local/lib/launcher")
    timer = "/etc/systemd/system/launcher-backstop.timer"
    machine.inside("sed", "-i", "s/^OnBootSec=.*/OnBootSec=1/", timer)
    machine.inside("sh", "-c", "systemctl daemon-reload; systemctl restart launcher-backstop.timer")

    assert machine.wait_off(60)


def _break(user_data: bytes) -> bytes:
    """Return user-data of which nothing works but what comes first."""
    config = json.loads(gzip.decompress(user_data).partition(b"\n")[2])
    broken = {
        "users": {"no": ["list"]},
        "ssh_keys": "none",
        "write_files": 5,
        "runcmd": [["false"], {"a": 1}],
    }
    return b"#cloud-config\n" + json.dumps({**config, **broken}).encode()


def _reason(box: Box, machine: BoxMachine) -> str:
    with box.mounted(machine.disk) as root:
        return (root / "var/lib/launcher/reason").read_text()
