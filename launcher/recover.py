"""Bring results home from the kept disk of a machine that is gone; delete it once they are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.aws import machines, volumes
from launcher.errors import AwsMissingError, NodeError, ResultsNotSafeError, UsageError
from launcher.pull import Pulled, Puller, fetch_frozen, write_seen
from launcher.results.place import Place, Rented, read_place
from launcher.runner import names
from launcher.targets.ec2 import write_place
from launcher.targets.ec2_disk import open_disk
from launcher.targets.ec2_keys import remove_keys
from launcher.targets.ec2_rent import end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from launcher.aws.volumes import Volume
    from launcher.nodes.node import Node
    from launcher.targets.ec2_rent import Terms

_ASK_S = 60.0
_LOOK = 'test -d "$1/etc" || exit 2; test -d "$2"'


def recover(batch: Path, terms: Terms) -> Pulled | None:
    """Recover a batch.

    Returns:
        what came; None where there is no disk to read.

    Raises:
        UsageError: its machine is still up, or it never had one.
        ResultsNotSafeError: something is missing; the disk stays.
        NoMachineError, NodeError: the disk could not be read; it stays.
    """
    place = read_place(batch) or Place()
    rented = place.last
    if rented is None:
        raise UsageError(f"{batch.name} never had a machine.", "See where it runs: launcher status")
    _refuse_living(rented, terms)
    volume = _find_disk(batch, rented, terms)
    if volume is None:
        _write_gone(batch, rented, terms, volume="")
        return None
    _write_gone(batch, rented, terms, volume=volume.id)
    with open_disk(volume, batch=batch.name, terms=terms) as show:
        pulled = _pull_all(show, batch, terms)
    volumes.delete_volume(terms.cloud_of(volume.region), volume.id)
    _write_gone(batch, rented, terms, volume="")
    remove_keys(terms.home, rented.key)
    return pulled


def _refuse_living(rented: Rented, terms: Terms) -> None:
    """Wait for a machine that is ending; refuse one that is up."""
    if not rented.machine:  # only its disk was found, and that is free
        return
    cloud = terms.cloud_of(rented.region)
    try:
        found = machines.describe(cloud, rented.machine)
    except AwsMissingError:
        return
    if not found.is_ending and found.state != machines.STOPPED:
        raise UsageError(
            f"{rented.machine} is still up.", "Its results come home by launcher attach, or launcher pull."
        )
    end(rented, terms, keep_disk=True)


def _find_disk(batch: Path, rented: Rented, terms: Terms) -> Volume | None:
    """Return the kept disk: the one that was written down, else the one that bears the batch's tag."""
    cloud = terms.cloud_of(rented.region)
    if rented.volume:
        try:
            return volumes.describe_volume(cloud, rented.volume)
        except AwsMissingError:
            return None
    return next(iter(volumes.find_volumes(cloud, batch=batch.name)), None)


def _pull_all(show: Callable[[bool], Node], batch: Path, terms: Terms) -> Pulled:
    _pull(show(False), batch, terms)
    # What was written last may stand in that journal alone, also where nothing seems to lack.
    terms.tell("reading the disk once more, with the journal of its file system replayed")
    pulled = _pull(show(True), batch, terms)
    if not pulled.is_safe:
        first = pulled.missing[0]
        raise ResultsNotSafeError(
            f"{len(pulled.missing):,} files of {batch.name} are not whole on its disk; the first is "
            f"{first.path}: {first.reason}.",
            "The disk is kept. What is whole is at home; see launcher status, and launcher ps for the disk.",
        )
    return pulled


def _pull(node: Node, batch: Path, terms: Terms) -> Pulled:
    if not _is_brought(node, batch):
        return Pulled()
    if not (batch / names.PLAN).exists():  # another computer submitted it
        fetch_frozen(node, batch)
    pulled = Puller(node, batch, now=terms.now, is_disk=True).pull()
    if pulled is None:
        raise ResultsNotSafeError(
            f"Somebody else is pulling {batch.name}.", "Let that end, then recover again."
        )
    return pulled


def _is_brought(node: Node, batch: Path) -> bool:
    """Tell whether a batch ever came to the disk's machine: one that was killed early has nothing to lose.

    Raises:
        NodeError: the disk shows no system at all.
    """
    there = f"{node.home}/{names.BATCHES}/{batch.name}"
    argv = ["sh", "-c", _LOOK, "sh", str(node.home.parents[2]), there]
    answer = node.run(argv, timeout_s=_ASK_S).exit_code
    if answer not in {0, 1}:
        raise NodeError("The disk shows no system.", "It is kept: recover again, or look at it yourself.")
    return answer == 0


def _write_gone(batch: Path, rented: Rented, terms: Terms, *, volume: str) -> None:
    place = read_place(batch) or Place()
    ended_at = rented.ended_at or terms.now().isoformat(timespec="seconds")
    write_place(batch, place.changed(rented.machine, ended_at=ended_at, volume=volume))
    now = terms.now().isoformat(timespec="microseconds")
    write_seen(batch, {"pulled_at": now, "at": now, "is_alive": False, "requests": 0})
