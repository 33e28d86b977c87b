"""Let it happen: one function a fault, and one that makes it good again before the user comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from tests.fake_ec2.machines import SPOT
from tests.faults.night import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_ec2 import Launched
    from tests.faults.matrix import Cell
    from tests.faults.night import Night

_CUT_S = 150.0
_NOTICE_S = 20.0
_SKEW_S = 3600.0
_OFF_S = 150.0  # the lease is 60 s, and runs have to end first
_DEADLINE_S = 60.0
_GOOD_FOR = "nobody home"
_DEADLINE = "nobody home, the deadline comes"


def strike(night: Night, cell: Cell) -> None:
    """Let the fault of a cell happen now."""
    if cell.fault.action:
        night.fake.gate.denied.add(cell.fault.action)
        return
    _STRIKES[cell.fault.name](night, cell)


def mend(night: Night, cell: Cell) -> tuple[str, ...]:
    """Let the fault of a cell be over, where it does not end by itself. Returns: what is wrong by then."""
    fake = night.fake
    wrong: tuple[str, ...] = ()
    fake.faults.clear()
    fake.gate.denied.clear()
    fake.gate.wrong_by_s, fake.gate.expires_at = 0.0, None
    fake.tick()
    is_left = cell.fault.name.startswith(_GOOD_FOR) or cell.fault.name == "network cut for good"
    # Before anybody comes back: a machine that only its user ends has no end of its own.
    patience_s = _DEADLINE_S if cell.fault.name == _DEADLINE else _OFF_S
    if is_left and not wait_until(lambda: not fake.alive(), timeout_s=patience_s, step_s=0.5):
        wrong = (f"{night.instance} did not end itself",)
    if cell.fault.name == "disk full":
        _put_right(night, "rm", "-f", "/var/fill")
    if cell.fault.name == "sshd gone":
        _put_right(night, "systemctl", "start", "ssh.service")
    return wrong


def _put_right(night: Night, *argv: str) -> None:
    """Do that on the machine, unless it ends, perhaps at this very moment."""
    if not night.machine.is_running:
        return
    try:
        night.machine.inside(*argv)
    except RuntimeError:
        if night.machine.is_running:
            raise


def _kill(night: Night, _: Cell) -> None:
    if night.client:
        night.client.kill()
        night.client.wait()


def _interrupt(night: Night, _: Cell) -> None:
    for _again in range(2):
        if night.client and night.client.poll() is None:
            night.client.send_signal(signal.SIGINT)
            time.sleep(0.5)


def _lose_power_at_home(night: Night, cell: Cell) -> None:
    """Kill the client; of what was written last, the length has reached the disk but not the content."""
    _kill(night, cell)
    for path in night.batch.glob("runs/*/outputs/*") if night.batch else ():
        seen = path.stat()
        path.write_bytes(bytes(seen.st_size))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _come_twice(night: Night, _: Cell) -> None:
    night.others.append(night.start("resume"))


def _skew(night: Night, _: Cell) -> None:
    night.fake.gate.wrong_by_s = _SKEW_S


def _expire(night: Night, _: Cell) -> None:
    night.fake.gate.expires_at = night.fake.now()


def _lose_answer(night: Night, cell: Cell) -> None:
    night.fake.fail(_action(cell), "lost", after=True)


def _throttle(night: Night, cell: Cell) -> None:
    night.fake.fail(_action(cell), "RequestLimitExceeded", status=503, times=3)


def _keep_disk(night: Night, _: Cell) -> None:
    night.fake.fail("DeleteVolume", "VolumeInUse", times=10_000)


def _spoil_birth(night: Night, _: Cell) -> None:
    boot = night.fake.hooks.on_run

    def spoiled(launched: Launched) -> str | None:
        from dataclasses import replace

        night.fake.hooks.on_run = boot
        broken = launched.user_data.replace(b"runcmd", b"ruincmd")
        return boot(replace(launched, user_data=broken)) if boot else None

    night.fake.hooks.on_run = spoiled


def _cut_power(night: Night, _: Cell) -> None:
    night.machine.power_cut()


def _reboot(night: Night, _: Cell) -> None:
    night.machine.reboot()


def _stop_sshd(night: Night, _: Cell) -> None:
    night.machine.inside("systemctl", "stop", "ssh.socket", "ssh.service")
    night.machine.inside("sh", "-c", "pkill -9 sshd || true")


def _cut_network(night: Night, _: Cell) -> None:
    night.machine.cut_network(_CUT_S)


def _cut_network_for_good(night: Night, _: Cell) -> None:
    night.machine.cut_network()


def _fill_disk(night: Night, _: Cell) -> None:
    night.machine.inside("sh", "-c", "dd if=/dev/zero of=/var/fill bs=1M 2>/dev/null; true", timeout_s=120)


def _kill_runner(night: Night, _: Cell) -> None:
    night.machine.inside("sh", "-c", "pkill -9 -f 'pyz run ' || true")


def _notice(night: Night, _: Cell) -> None:
    night.fake.interrupt(night.instance, in_s=_NOTICE_S)


def _take_back(night: Night, _: Cell) -> None:
    with night.fake.lock:
        night.fake.machines.shut_down([night.instance], reason=SPOT)


def _leave(night: Night, cell: Cell) -> None:
    _kill(night, cell)


def _let_deadline_come(night: Night, cell: Cell) -> None:
    _kill(night, cell)
    now = int(time.time())
    rule = f's/"deadline_at": *[0-9]*/"deadline_at": {now}/'
    with contextlib.suppress(RuntimeError):
        night.machine.inside("sed", "-i", rule, "/etc/launcher/machine.json")


def _action(cell: Cell) -> str:
    return cell.phase.call[0] if cell.phase.call else "*"


_STRIKES: dict[str, Callable[[Night, Cell], None]] = {
    "kill -9": _kill,
    "Ctrl-C twice": _interrupt,
    "power cut at home": _lose_power_at_home,
    "second client": _come_twice,
    "clock wrong": _skew,
    "credentials expire": _expire,
    "answer lost": _lose_answer,
    "throttled": _throttle,
    "disk won't go": _keep_disk,
    "user-data fails": _spoil_birth,
    "power cut": _cut_power,
    "reboot": _reboot,
    "sshd gone": _stop_sshd,
    "network cut": _cut_network,
    "network cut for good": _cut_network_for_good,
    "disk full": _fill_disk,
    "runner kill -9": _kill_runner,
    "spot notice": _notice,
    "spot end": _take_back,
    "nobody home, the queue ends": _leave,
    _DEADLINE: _let_deadline_come,
}
