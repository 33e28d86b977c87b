"""Find or make the folder `.launcher`, in which everything lies that launcher writes. Knows no jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = ".launcher"
_ROOTS = (".git", "pyproject.toml")


def find_home(start: Path) -> Path | None:
    """Return the nearest `.launcher` in a folder or above it, None where there is none."""
    return next((folder / _NAME for folder in _upwards(start) if (folder / _NAME).is_dir()), None)


def choose_home(start: Path, *, first_job_file: Path) -> Path:
    """Return where a batch will lie; nothing is made.

    That is the nearest `.launcher`, else beside the first `.git` or `pyproject.toml` above the first job
    file, else in that file's folder.

    Args:
        start: the current folder.
        first_job_file: as seen from there.
    """
    folder = Path(os.path.realpath(start / first_job_file.parent))
    roots = (above for above in _upwards(folder) if any((above / name).exists() for name in _ROOTS))
    return find_home(start) or next(roots, folder) / _NAME


def make_home(home: Path) -> Path:
    """Make a home that git does not see. Returns: the home.

    Raises:
        UsageError: it can't be made, or runs could not find their way to it.
    """
    if os.pathsep in str(home):
        raise UsageError(
            f"{home} can't stand in PATH and PYTHONPATH: it holds a {os.pathsep!r}.",
            "Rename the folder.",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="ascii")
    except OSError as error:
        raise UsageError(
            f"{home} can't be made: {error.strerror}.", "Submit from a folder that you can write to."
        ) from error
    return home


def _upwards(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, without those that we may not look into."""
    return (above for above in (folder, *folder.parents) if os.access(above, os.X_OK))
