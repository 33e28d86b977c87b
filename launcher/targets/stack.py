"""The stack that jobs without an environment find on a machine: ami/requirements.lock."""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def recipe_folder() -> Path:
    """Return the folder `ami`: in the wheel it lies in the package, in a clone beside it."""
    packed = _PACKAGE / "ami"
    return packed if packed.is_dir() else _PACKAGE.parent / "ami"


def read_stack() -> bytes:
    """Return the locked requirements."""
    return (recipe_folder() / "requirements.lock").read_bytes()


def hash_stack() -> str:
    """Return the hash under which the stack is installed, and images that have it are tagged."""
    return hashlib.sha256(read_stack()).hexdigest()
