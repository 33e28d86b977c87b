"""Find or make the folder `.launcher`, in which everything lies that launcher writes."""

from __future__ import annotations

from pathlib import Path

_NAME = ".launcher"
_ROOTS = (".git", "pyproject.toml")


def find_home(start: Path) -> Path | None:
    """Return the nearest `.launcher` in a folder or above it, None where there is none."""
    return next((home for folder in (start, *start.parents) if (home := folder / _NAME).is_dir()), None)


def choose_home(start: Path, *, first_job_file: Path) -> Path:
    """Return where a batch will lie; nothing is made.

    That is the nearest `.launcher`, else beside the first `.git` or `pyproject.toml` above the first job
    file, else in that file's folder.
    """
    folder = first_job_file.absolute().parent
    roots = (above for above in (folder, *folder.parents) if any((above / name).exists() for name in _ROOTS))
    return find_home(start) or next(roots, folder) / _NAME


def make_home(home: Path) -> Path:
    """Make a home that git does not see. Returns: the home."""
    home.mkdir(parents=True, exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")
    return Path(home)
