"""Recognise a plain `python SCRIPT args`: no flag of Python, and nothing that a shell acts on. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHELL = ("/bin/sh", "-c")
_PYTHON = frozenset({"python", "python3"})
_WORD = r"""(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\]*")+"""
_SAFE = re.compile(rf"[ \t]*{_WORD}(?:[ \t]+{_WORD})*[ \t]*\n?")


class Plain(NamedTuple):
    """The words of a plain command, and whether a shell starts it."""

    words: tuple[str, ...]
    is_shell: bool

    @property
    def script(self) -> str:
        """Return the script, as written."""
        return self.words[1]


def read_plain(argv: Sequence[str]) -> Plain | None:
    """Return a run's command as its words; None where it is anything but `python SCRIPT args`."""
    is_shell = tuple(argv[:2]) == _SHELL and len(argv) == len(_SHELL) + 1
    words = _split(argv[2]) if is_shell else tuple(argv)
    if len(words) <= 1 or words[0] not in _PYTHON or not words[1] or words[1].startswith("-"):
        return None
    return Plain(words, is_shell)


def _split(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text)) if _SAFE.fullmatch(text) else ()
