"""Start a project: an example job, its script, and the place for settings. Overwrites nothing."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {"example.yaml": "jobs/example.yaml", "train.py": "jobs/example/train.py"}
_SETTINGS = "pyproject.toml"
_TABLE = "[tool.launcher]"


def start_project(folder: Path) -> tuple[tuple[str, bool], ...]:
    """Write what is missing.

    Returns:
        each path, relative to the folder, and whether it was written.
    """
    wrote = [(path, _write(folder / path, _template(name))) for name, path in _FILES.items()]
    return (*wrote, (_SETTINGS, _add_settings(folder / _SETTINGS)))


def _template(name: str) -> str:
    return (files("launcher") / "templates" / name).read_text(encoding="utf-8")


def _write(path: Path, content: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _add_settings(path: Path) -> bool:
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if _TABLE in before:
        return False
    separator = "\n" if before and not before.endswith("\n\n") else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(separator + _template("settings.toml"))
    return True
