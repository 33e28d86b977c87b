"""The kept disk of a machine that is gone, as a place to fetch from. Attached, read, never written.

The disk was cut off at some instant. At first it is mounted read-only and without replay of its journal, so
that it stays as it is. But what was fsynced last may stand in that journal alone: then it is replayed, as at
any boot, and the disk is read once more. It is found by the volume's id: both disks of the small machine that
reads it bear the same label, and may bear the same UUID.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from launcher.aws.offers import find_offers
from launcher.aws.user_data import HOME, PYTHON
from launcher.aws.volumes import attach_volume, detach_volume
from launcher.errors import NodeError, NoMachineError
from launcher.nodes.ssh import SshNode
from launcher.targets.ec2_keys import remove_keys
from launcher.targets.ec2_open import open_new, settle
from launcher.targets.ec2_rent import Wanted, end, rent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from launcher.aws.volumes import Volume
    from launcher.nodes.node import Node
    from launcher.nodes.ssh_connection import Connection
    from launcher.plan.values import Offer
    from launcher.targets.ec2_rent import Terms

SMALL_TYPES = ("t3.small", "t3a.small", "t2.small")
_LIFE_S = 2 * 3600.0
_TIMEOUT_S = 120.0
_MOUNTED = PurePosixPath("/mnt/launcher")

# $1: the volume's id without its dash, as NVMe disks bear it; $2: the device that was asked for; $3: how.
_MOUNT = """
for try in $(seq 60); do
    disk=$(readlink -e "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_$1" || readlink -e "$2" || true)
    test -n "$disk" && break
    sleep 1
done
test -n "$disk" || { echo "the disk did not appear" >&2; exit 1; }
best=0
for part in "$disk" "$disk"p[0-9]* "$disk"[0-9]*; do
    test -b "$part" || continue
    kind=$(blkid -p -o value -s TYPE "$part" || true)
    size=$(blockdev --getsize64 "$part")
    case "$kind" in ext4|xfs) ;; *) continue;; esac
    test "$size" -gt "$best" && { best=$size; root=$part; type=$kind; }
done
test "$best" -gt 0 || { echo "the disk has no file system that is known" >&2; exit 1; }
mkdir -p /mnt/launcher
case "$type.$3" in
    xfs.as-it-is) how=ro,norecovery,nouuid;;
    xfs.*) how=ro,nouuid;;
    ext4.as-it-is) how=ro,noload;;
    *) how=ro;;
esac
! mountpoint -q /mnt/launcher || umount /mnt/launcher
mount -t "$type" -o "$how,nosuid,nodev,noexec" "$root" /mnt/launcher
"""
_DEVICE = "/dev/sdf"


@contextmanager
def open_disk(volume: Volume, *, batch: str, terms: Terms) -> Iterator[Callable[[bool], Node]]:
    """Rent a small machine, give it the disk, and end it again.

    Yields:
        what shows the disk as a node, told whether its journal is to be replayed.

    Raises:
        NoMachineError: none could be had in the disk's zone, or it may still be there.
        NodeError: the disk can't be read.
    """
    offers = _small_offers(volume, terms)
    rented = rent(Wanted(batch=batch, offers=offers, environment="", batch_s=_LIFE_S, usd=None), terms)
    cloud = terms.cloud_of(volume.region)
    try:
        with open_new(rented, terms) as (connection, _):
            settle(connection, rented, terms)
            terms.tell(f"{rented.machine} reads the disk {volume.id}")
            attach_volume(cloud, volume.id, machine=rented.machine, device=_DEVICE)
            yield partial(_show, connection, volume)
            connection.close()  # and with it whatever still looks into the disk
            connection.run_as_admin(["sudo", "-n", "umount", str(_MOUNTED)], timeout_s=_TIMEOUT_S)
            detach_volume(cloud, volume.id)
    finally:
        end(rented, terms, keep_disk=False)
        remove_keys(terms.home, rented.key)


def _small_offers(volume: Volume, terms: Terms) -> tuple[Offer, ...]:
    table = find_offers(
        terms.cloud_of(volume.region),
        SMALL_TYPES,
        spot=False,
        gpus=0,
        subnet=terms.subnet,
        disk_gb=terms.disk_gb,
        prefer_zone=volume.zone,
    )
    offers = tuple(offer for offer in table.offers if offer.zone == volume.zone)
    if not offers:
        raise NoMachineError(
            f"No small machine is offered in {volume.zone}, where the disk {volume.id} is.",
            "Name a subnet of that zone in the settings, then recover again.",
        )
    return offers


def _show(connection: Connection, volume: Volume, replay: bool) -> Node:  # noqa: FBT001 - its only argument
    connection.close()
    _mount(connection, volume, how="replayed" if replay else "as-it-is")
    return SshNode(connection, home=_MOUNTED / HOME.relative_to("/"), python=PYTHON, run_as="root")


def _mount(connection: Connection, volume: Volume, *, how: str) -> None:
    argv = ["sudo", "-n", "sh", "-ec", _MOUNT, "sh", volume.id.replace("-", ""), _DEVICE, how]
    done = connection.run_as_admin(argv, timeout_s=_TIMEOUT_S)
    if done.exit_code:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NodeError(
            f"The disk {volume.id} can't be read: {said:.300}.",
            "Nothing was lost by trying: recover again, or attach it to a machine of yours.",
        )
