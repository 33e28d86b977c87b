"""Start a project: an example job, its script, and the place for settings. Overwrites nothing."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {"example.yaml": "jobs/example.yaml", "train.py": "jobs/example/train.py"}
_SETTINGS = "pyproject.toml"


def start_project(folder: Path) -> tuple[tuple[str, bool], ...]:
    """Write what is missing.

    Returns:
        each path, relative to the folder, and whether it was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = (_SETTINGS, _add_settings(folder / _SETTINGS))  # first, as it may refuse
    return (*((path, _write(folder / path, _template(name))) for name, path in _FILES.items()), settings)


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
    if _has_settings(before, path):
        return False
    separator = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(separator + _template("settings.toml"))
    return True


def _has_settings(text: str, path: Path) -> bool:
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}.", "Mend the file.") from error
    return isinstance(tool, dict) and "launcher" in tool
