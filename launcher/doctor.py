"""Look at everything that a batch needs on this computer, in order. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from launcher.report.checks import Check
from launcher.runner.slots import find_gpus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LITTLE_BYTES = 2_000_000_000
_GIGA = 1_000_000_000
_STACK = ("keras", "tensorflow", "jax", "torch")


def check_here(home: Path) -> Iterator[Check]:
    """Check this computer.

    Args:
        home: the folder `.launcher` of the project, which need not exist.
    """
    yield Check("python", "ok", f"{sys.version.split()[0]} at {sys.executable}")
    yield _stack()
    yield _gpus()
    yield _home(home)
    yield _disk(home)


def _stack() -> Check:
    found = [f"{name} {version}" for name in _STACK if (version := _version(name))]
    if found and found[0].startswith("keras"):
        return Check("keras", "ok", ", ".join(found))
    fix = "pip install 'tensorflow' (or jax, or torch, with keras), unless every job names an environment."
    return Check("keras", "warning", ", ".join(found) or "not installed beside launcher", fix)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _gpus() -> Check:
    count = len(find_gpus(os.environ))
    return Check("GPU", "ok", f"{count} here" if count else "none here: jobs run on the CPU, or --on ec2")


def _home(home: Path) -> Check:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if os.access(nearest, os.W_OK | os.X_OK):
        return Check("home", "ok", str(home) if home.exists() else f"{home}, made by the first submit")
    return Check("home", "failed", f"{nearest} can't be written to", "Work in a folder of your own.")


def _disk(home: Path) -> Check:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    said = f"{free / _GIGA:.1f} GB free"
    if free >= _LITTLE_BYTES:
        return Check("disk", "ok", said)
    return Check("disk", "failed", said, "Make room: launcher clean removes old batches.")
