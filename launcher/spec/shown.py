"""Show what was found in one line of a message: short, and harmless to a terminal. Pure."""

from __future__ import annotations

import json
from typing import Any

_LONGEST = 60


def show_text(text: str) -> str:
    """Return a text in one line, cut when long."""
    return make_printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def make_printable(text: str) -> str:
    """Return a text in which what is not printable stands as its escape."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def show_value(value: Any) -> str:
    """Return a value as JSON; YAML's null is shown as what people see, nothing."""
    return "nothing" if value is None else show_text(json.dumps(value, ensure_ascii=False))
