"""The regions where something of ours may be: those of the settings, and every one that was ever used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from launcher.aws.intent import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE = "regions.json"


def used_regions(home: Path) -> tuple[str, ...]:
    """Return the regions that were used from here; a file that can't be read names none."""
    try:
        found = json.loads((home / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def remember_region(home: Path, region: str) -> None:
    """Add a region; on disk when the call returns."""
    known = used_regions(home)
    if region not in known:
        write_whole(home / _FILE, json.dumps([*known, region]).encode())


def regions_to_look_at(home: Path | None, *, settings: Iterable[str], default: str | None) -> tuple[str, ...]:
    """Return all regions to look at, each once."""
    used = used_regions(home) if home else ()
    return tuple(dict.fromkeys((*settings, *used, *((default,) if default else ()))))
