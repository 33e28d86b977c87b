"""The box itself: what it says of power, network and disks has to be true, or its tests mean nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import make_user_data
from tests.box.kit import ssh, wait_for
from tests.box.slots import sweep

if TYPE_CHECKING:
    from tests.box.box import Box
    from tests.box.kit import Keys

pytestmark = pytest.mark.root

INTERPRETER = Path(os.path.realpath(sys.executable)).parents[1]
BOOT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tests.box.box import Box
box = Box(Path(sys.argv[1]))
machine = box.boot("i-left", user_data=b"#cloud-config\\n{}\\n")
print(machine.slot, flush=True)
signal.pause()
"""


def test_a_cut_network_drops_and_a_cut_power_loses_what_was_not_synced(box: Box, keys: Keys) -> None:
    user_data = make_user_data(keys.birth())
    machine = box.boot("i-cut", user_data=user_data, binds=[sys.prefix, str(INTERPRETER)])
    wait_for(machine, "test -f /var/lib/launcher/ready")

    job_python = [f"{sys.prefix}/bin/python", "-c", "import numpy, sys; print(sys.prefix)"]
    from_home = machine.inside(*job_python, user="runner")
    machine.cut_network()
    cut = ssh(machine, keys, "true")
    machine.join_network()
    joined = ssh(machine, keys, "echo synced > kept; sync")
    machine.inside("sh", "-c", "echo late > /home/launcher/lost")
    machine.power_cut()
    again = box.boot("i-cut", user_data=None, disk=machine.disk)
    wait_for(again, "test -S /run/dbus/system_bus_socket")
    left = again.inside("sh", "-c", "cd /home/launcher; cat kept lost").stdout

    assert (from_home.stdout, from_home.stderr) == (f"{sys.prefix}\n", "")
    assert "timed out" in cut.stderr
    assert joined.returncode == 0, joined.stderr
    assert not machine.is_running
    assert left == "synced\n"


def test_a_test_run_that_is_killed_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", BOOT_AND_DIE, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        name = f"box{run.stdout.readline().strip()}"
        run.send_signal(signal.SIGKILL)

    until = time.monotonic() + 60
    while Path("/sys/class/net", name).exists() and time.monotonic() < until:
        time.sleep(0.1)  # its keeper has noticed, and pulls the plug
        sweep()

    assert not Path("/sys/class/net", name).exists()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/{name}"))
