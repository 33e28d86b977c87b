"""EC2 in a box: the stand-in for AWS, with real machines behind instances and real disks behind volumes.

RunInstances boots, TerminateInstances pulls the plug, a machine that powers itself off is told to the
account; disks live as long as their volumes. Only the GPU and Amazon's capacity are not real.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.box.box import Box
    from tests.box.machine import BoxMachine
    from tests.fake_ec2 import FakeEc2, Launched

_STOP_S = 60.0
_LET_IN_S = 60
_EMPTY_DISK_BYTES = 1 << 30


class BoxEc2:
    """An account whose instances are machines of a box.

    Args:
        fake: the account; what it has for hooks is replaced, until it is reset.
        box: where the machines live, and their end.
        binds: folders that every machine sees read-only, `SOURCE` or `SOURCE:TARGET`.
    """

    def __init__(self, fake: FakeEc2, box: Box, *, binds: Sequence[str] = ()) -> None:
        self.fake, self.box, self.binds = fake, box, tuple(binds)
        self.machines: dict[str, BoxMachine] = {}
        self._ended: set[str] = set()
        self._volumes: dict[str, Path] = {}
        self._attached: dict[str, tuple[str, str]] = {}
        hooks = fake.hooks
        hooks.on_run, hooks.on_start, hooks.on_stop = self._run, self._start, self._stop
        hooks.on_terminate, hooks.on_reboot = self._terminate, self._reboot
        hooks.on_attach, hooks.on_detach = self._attach, self._detach
        hooks.on_delete_volume, hooks.on_spot_notice = self._delete_volume, self._notice
        hooks.on_public_key = self._let_in

    def disk(self, volume: str) -> Path:
        """Return the image behind a volume."""
        if volume not in self._volumes:  # made by CreateVolume: nothing is on it
            self._volumes[volume] = self.box.folder / f"{volume}.img"
            with self._volumes[volume].open("wb") as image:
                image.truncate(_EMPTY_DISK_BYTES)
        return self._volumes[volume]

    def _run(self, launched: Launched) -> str:
        (root,) = launched.volumes.values()
        self._volumes[root] = self.box.make_disk(root)
        return self._boot(launched.id, disk=self._volumes[root], user_data=launched.user_data)

    def _start(self, instance: str) -> str:
        return self._boot(instance, disk=self.machines[instance].disk, user_data=None)

    def _boot(self, instance: str, *, disk: Path, user_data: bytes | None) -> str:
        machine = self.box.boot(
            instance, user_data=user_data, disk=disk, binds=self.binds, on_off=self._has_no_power
        )
        self.machines[instance] = machine
        if instance in self._ended:  # while it was being booted
            machine.power_cut()
        return machine.address

    def _has_no_power(self, machine: BoxMachine) -> None:
        # Where the account itself pulled the plug it knows, and takes no notice.
        if any(each.id == machine.id for each in self.fake.alive()):
            self.fake.power_off(machine.id)

    def _terminate(self, instance: str) -> None:
        self._ended.add(instance)
        machine = self.machines.get(instance)
        if machine is not None and machine.is_running:
            machine.power_cut()

    def _stop(self, instance: str) -> None:
        machine = self.machines[instance]
        if machine.is_running:
            machine.inside("systemctl", "poweroff")
            if not machine.wait_off(_STOP_S):
                machine.power_cut()

    def _reboot(self, instance: str) -> None:
        self.machines[instance].reboot()

    def _attach(self, volume: str, instance: str, _device: str) -> None:
        # Whatever name was asked for, Nitro shows disks as NVMe devices in the order in which they came.
        taken = {device for _, device in self._attached.values()}
        device = next(name for n in range(1, 20) if (name := f"nvme{n}n1") not in taken)
        self.machines[instance].attach(self.disk(volume), device=device, volume=volume)
        self._attached[volume] = (instance, device)

    def _detach(self, volume: str) -> None:
        instance, device = self._attached.pop(volume, ("", ""))
        if instance and self.machines[instance].is_running:
            self.machines[instance].detach(device=device, volume=volume)

    def _delete_volume(self, volume: str) -> None:
        if volume in self._volumes:
            self.box.delete_disk(self._volumes.pop(volume))

    def _let_in(self, instance: str, user: str, key: str) -> None:
        # sshd reads this file beside the usual one; the agent of EC2 Instance Connect forgets a key as soon.
        script = f'cd ~{user}/.ssh && echo "$1" > authorized_keys2 && chown {user} authorized_keys2'
        machine = self.machines[instance]
        machine.inside("sh", "-ec", script, "sh", key)
        forget = f"rm -f ~{user}/.ssh/authorized_keys2"
        machine.inside("systemd-run", "--on-active", str(_LET_IN_S), "sh", "-c", forget)

    def _notice(self, instance: str, in_s: float) -> None:
        at = datetime.now(UTC) + timedelta(seconds=in_s)
        self.machines[instance].notice_spot(at=f"{at:%Y-%m-%dT%H:%M:%SZ}")
