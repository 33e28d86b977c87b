"""Make a batch one of this home that another computer submitted, and of which only a kept disk is left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from launcher.aws import tags, volumes
from launcher.aws.regions import remember_region
from launcher.results.find import match_one
from launcher.results.place import Place, Rented
from launcher.runner import names
from launcher.targets.ec2 import write_place

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from launcher.aws.volumes import Volume
    from launcher.targets.ec2_rent import Terms


def find_kept_disk(prefix: str, terms: Terms, regions: Iterable[str]) -> Volume | None:
    """Return the newest free disk of the one batch whose id begins so; None where there is none.

    Raises:
        AwsError: AWS can't be asked.
        UsageError: several batches begin so.
    """
    found = [each for region in regions for each in volumes.find_volumes(terms.cloud_of(region))]
    kept = sorted(
        (each for each in found if each.state == volumes.AVAILABLE), key=lambda each: each.created_at
    )
    newest = {each.batch: each for each in kept}
    meant = match_one("batches with a disk", prefix, sorted(newest))
    return newest[meant] if meant else None


def find_adopted(prefix: str, terms: Terms) -> Path | None:
    """Return the folder of a batch that was adopted and is not recovered yet: its plan is still on the disk.

    Raises:
        UsageError: several batches begin so.
    """
    batches = terms.home / names.BATCHES
    begun = [place.parent.name for place in batches.glob(f"*/{names.PLACE}")]
    meant = match_one(
        "batches", prefix, sorted(each for each in begun if not (batches / each / names.PLAN).exists())
    )
    return batches / meant if meant else None


def adopt(volume: Volume, terms: Terms) -> Path:
    """Make the batch of a disk one of this home, ready to be recovered. Returns: its folder."""
    batch = terms.home / names.BATCHES / volume.batch
    batch.mkdir(parents=True, exist_ok=True)
    remember_region(terms.home, volume.region)
    write_place(batch, Place((_describe(volume, terms),)))
    return batch


def _describe(volume: Volume, terms: Terms) -> Rented:
    """Return what a disk tells of the machine that it came with, whose id nobody here knows."""
    ended_at = min(terms.now(), volume.expires_at or volume.created_at + timedelta(hours=1))
    return Rented(
        machine="",
        region=volume.region,
        zone=volume.zone,
        type="",
        market=volume.tags.get(tags.MARKET, ""),
        usd_per_hour=float(volume.tags.get(tags.PRICE) or 0.0),
        launched_at=volume.created_at.isoformat(timespec="seconds"),
        expires_at=ended_at.isoformat(timespec="seconds"),
        address="",
        volume=volume.id,
        key=f"{volume.batch}-joined",
        attempt=volume.tags.get(tags.ATTEMPT, ""),
        ended_at=ended_at.isoformat(timespec="seconds"),
    )
