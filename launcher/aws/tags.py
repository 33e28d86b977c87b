"""The tags by which everything of ours is found again, without any file. Knows no calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

APP = "launcher"
OWNER = "launcher:owner"
BATCH = "launcher:batch"
EXPIRES = "launcher:expires"
VERSION = "launcher:version"
MARKET = "launcher:market"
KEEP = "launcher:keep"
PRICE = "launcher:usd-per-hour"
HOST_KEY = "launcher:hostkey"
ATTEMPT = "launcher:attempt"  # the token of the launch
ENVIRONMENT = "launcher:env"
MINE = {"Name": "tag:app", "Values": [APP]}


def machine_tags(
    *,
    batch: str,
    owner: str,
    version: str,
    market: str,
    usd_per_hour: float,
    expires_at: datetime,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Return the tags of a machine and of what is made with it."""
    return {
        "app": APP,
        "Name": f"launcher {batch}",
        OWNER: owner,
        BATCH: batch,
        EXPIRES: expires_at.astimezone(UTC).isoformat(timespec="seconds"),
        VERSION: version,
        MARKET: market,
        PRICE: f"{usd_per_hour:.4f}",
        **more,
    }


def to_aws(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_aws(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Return tags as AWS gave them."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def for_kinds(tags: Mapping[str, str], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return that the same tags are to be given to several kinds of things as they are made."""
    return [{"ResourceType": kind, "Tags": to_aws(tags)} for kind in kinds]


def filters(
    *, batch: str | None = None, owner: str | None = None, attempt: str | None = None, **more: Sequence[str]
) -> list[dict[str, Any]]:
    """Return filters for what is ours; further ones by name, `_` for `-`."""
    wanted = {f"tag:{BATCH}": batch, f"tag:{OWNER}": owner, f"tag:{ATTEMPT}": attempt}
    by_tag = [{"Name": name, "Values": [value]} for name, value in wanted.items() if value is not None]
    return [MINE, *by_tag, *({"Name": name.replace("_", "-"), "Values": list(v)} for name, v in more.items())]


def expiry(tags: Mapping[str, str]) -> datetime | None:
    """Return the deadline that stands in tags; None where there is none that can be read."""
    try:
        read = datetime.fromisoformat(tags[EXPIRES])
    except (KeyError, ValueError):
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
