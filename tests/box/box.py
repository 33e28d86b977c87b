"""The box: real systemd machines with cloud-init and OpenSSH, each with its own network and disk."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.box.base import base_image
from tests.box.machine import BoxMachine
from tests.box.slots import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType


class Box:
    """A place to boot machines in. When it is left, all of them are gone, and their disks.

    Args:
        folder: for disks and consoles.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: list[BoxMachine] = []
        self._disks: set[Path] = set()

    def boot(
        self,
        machine_id: str,
        *,
        user_data: bytes | None,
        disk: Path | None = None,
        binds: Sequence[str] = (),
        on_off: Callable[[BoxMachine], None] | None = None,
    ) -> BoxMachine:
        """Power a machine on; it is reachable some two seconds later.

        Args:
            machine_id: an instance id; cloud-init runs once for each.
            user_data: what cloud-init gets; None for a disk that has been booted with it before.
            disk: an existing disk; by default a new one from the base image.
            binds: folders that it sees read-only, `SOURCE` or `SOURCE:TARGET`.
            on_off: called when its power is off.
        """
        machine = BoxMachine(
            machine_id,
            disk=disk or self.make_disk(machine_id),
            user_data=user_data,
            binds=binds,
            folder=self.folder,
            on_off=on_off,
        )
        self.machines.append(machine)
        return machine

    def make_disk(self, name: str) -> Path:
        """Return a new root disk, a copy of the base image; it outlives its machine."""
        disk = self.folder / f"{name}.img"
        argv = ["cp", "--sparse=always", "--reflink=auto", str(base_image()), str(disk)]
        subprocess.run(argv, check=True, timeout=120)
        self._disks.add(disk)
        return disk

    @contextmanager
    def mounted(self, disk: Path) -> Iterator[Path]:
        """Show what is on the disk of a machine that is off, without writing a byte."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            subprocess.run(["mount", "-o", "loop,ro,noload", str(disk), folder], check=True, timeout=60)
            try:
                yield Path(folder)
            finally:
                subprocess.run(["umount", folder], check=True, timeout=60)

    def delete_disk(self, disk: Path) -> None:
        """Delete a disk for good."""
        self._disks.discard(disk)
        disk.unlink()

    def __enter__(self) -> Self:
        sweep()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for machine in self.machines:
            machine.close()
        for disk in self._disks:
            disk.unlink(missing_ok=True)
