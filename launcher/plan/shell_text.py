"""Know where in a piece of shell text one stands: within quotes, a comment, a substitution. Pure.

Enough of the shell's grammar to insert values safely, and no more: what it cannot follow (here-documents) is
refused by its caller.
"""

from __future__ import annotations

BACKSLASH = "\\"
COMMENT = "#"
BACKQUOTE = "`"
QUOTES = ("'", '"')
_CLOSING = {"'": "'", '"': '"', BACKQUOTE: BACKQUOTE, "(": ")", COMMENT: "\n"}
_NO_ESCAPES = ("'", COMMENT)
_WORD_ENDS = " \t\n;&|("


def follow(text: str, within: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is open, outermost first, behind `text`, where `within` was open before it.

    A backslash at the very end, which would change what comes next, counts as open.
    """
    stack, at = list(within), 0
    while at < len(text):
        inside = stack[-1] if stack else ""
        if text[at] == BACKSLASH and inside not in _NO_ESCAPES:
            at += 2
            continue
        if text[at] == _CLOSING.get(inside):
            stack.pop()
        elif _opens(text, at, inside):
            stack.append(text[at])
        at += 1
    return (*stack, BACKSLASH) if at > len(text) else tuple(stack)


def _opens(text: str, at: int, inside: str) -> bool:
    before = text[at - 1] if at else ""
    if inside in {"'", COMMENT}:
        return False
    match text[at]:
        case '"' | "`":
            return True
        case "'":
            return inside != '"'
        case "(":
            return inside != '"' or before == "$"
        case "#":
            return inside != '"' and (before == "" or before in _WORD_ENDS)
    return False
