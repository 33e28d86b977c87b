"""What every command needs to know of here and now: home, clock, terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from launcher.errors import UsageError
from launcher.runner import processes
from launcher.settings.home import find_home


def home_or_fail() -> Path:
    """Return the nearest `.launcher`.

    Raises:
        UsageError: there is none here.
    """
    home = find_home(Path.cwd())
    if home is None:
        raise UsageError("There is no batch here: no .launcher in this folder or above.", "Submit one first.")
    return home


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


def boot_id() -> str | None:
    """Return what tells this start of the computer from others, where it can be told."""
    try:
        return processes.boot_id() or None
    except OSError:
        return None


def columns() -> int:
    """Return how many columns a line may have."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def to_json(value: object) -> str:
    """Return a value as scripts read it."""
    import json

    return json.dumps(value, indent=2, allow_nan=False)


def print_json(value: object) -> None:
    """Print a value for scripts."""
    click.echo(to_json(value))
