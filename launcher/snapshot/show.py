"""Names as a message can show them. Computes only."""

from __future__ import annotations

import os


def show(path: bytes | str) -> str:
    """Return the name as it is if every character prints, else with escapes: no name breaks a line."""
    text = os.fsdecode(path)
    return text if text.isprintable() else ascii(text)
