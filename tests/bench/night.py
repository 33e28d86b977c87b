"""A night on a machine of the box: how soon its first run starts, and what following it costs.

Needs root on Linux. The image is warm: its environment is there.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from tests.bench.project import project
from tests.bench.row import Row
from tests.box.base import base_image
from tests.box.box import Box
from tests.fake_ec2 import FakeEc2
from tests.faults.night import Night, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.box.machine import BoxMachine

_RUN_S = 150
_IDLE_S = 120.0
_SETTLED_S = 10.0  # after its start a run's first words have come home
_PATIENCE_S = 120.0
_SCRIPT = f"import time\nprint('hello', flush=True)\ntime.sleep({_RUN_S})\nopen('out.bin', 'w').write('x')\n"


def measure() -> Iterator[Row]:
    if not sys.platform.startswith("linux") or os.geteuid():
        yield Row("a night on a machine of the box", "not measured: no root on Linux")
        return
    base_image()  # to build it takes minutes, which no client should take for a slow boot
    with project() as folder, FakeEc2() as fake, Box(folder) as box:
        night = Night(fake, box, folder / "night")
        try:
            yield from _measure(night)
        finally:
            night.close()


def _measure(night: Night) -> Iterator[Row]:
    (night.project / "hello" / "train.py").write_text(_SCRIPT)
    night.client = night.start("submit", "hello.yaml", "--on", "ec2", "--yes", "--set", "grid.a=[1]")
    _need(lambda: night.ec2.machines)
    answered_at = _wait_for_ssh(night.machine.address)
    _need(lambda: night.states == ["running"])
    began_s = _started_at(night) - answered_at
    yield _row("on a machine of the box, from SSH answering to the first run, warm image", began_s, 3, " s")

    time.sleep(_SETTLED_S)
    calls, passed = len(night.fake.calls), _passed_bytes(night.machine)
    time.sleep(_IDLE_S)
    calls_a_minute = (len(night.fake.calls) - calls) / _IDLE_S * 60
    yield _row("following it, idle: calls to AWS a minute", calls_a_minute, 1)
    rate = (_passed_bytes(night.machine) - passed) / _IDLE_S / 1e3
    yield _row("the same, over the network", rate, 2, " kB/s")

    _need(lambda: night.client is not None and night.client.poll() == 0)
    yield _row("the whole night, from the plan to the end: calls to AWS", len(night.fake.calls), 40)


def _row(what: str, value: float, limit: float, unit: str = "") -> Row:
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return Row(what, f"{shown}{unit}", target=f"<= {limit:g}{unit}", is_met=value <= limit)


def _need(is_so: Callable[[], object]) -> None:
    if not wait_until(is_so, timeout_s=_PATIENCE_S + _RUN_S):
        raise AssertionError("it never came to be")


def _wait_for_ssh(address: str) -> float:
    """Return when a server of SSH first said who it is, in seconds since the epoch."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            with socket.create_connection((address, 22), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return time.time()
        except OSError:
            time.sleep(0.02)
    raise AssertionError("no SSH")


def _started_at(night: Night) -> float:
    assert night.batch is not None
    (state,) = night.batch.glob("runs/*/state.json")
    return datetime.fromisoformat(json.loads(state.read_text())["started_at"]).timestamp()


def _passed_bytes(machine: BoxMachine) -> int:
    """Return what went through the machine's network so far, both ways."""
    lines = machine.inside("cat", "/proc/net/dev").stdout.splitlines()
    (fields,) = (line.partition(":")[2].split() for line in lines if "eth0" in line)
    return int(fields[0]) + int(fields[8])
