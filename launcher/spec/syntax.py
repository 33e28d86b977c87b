"""Say in plain words why a text is no YAML. Pure."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import yaml
    from yaml.reader import ReaderError

    # Names a line, counted from 0, in a message.
    Place = Callable[[int], str]

# By what PyYAML says: what is wrong, and what to do. The first that fits counts.
_SENTENCES = (
    (r"'\t'", "a tab stands here", "Use spaces: YAML takes no tabs outside of quotes"),
    (
        "mapping values are not allowed here",
        "no colon is expected here: it is the second in its line, or the line is indented too far",
        'Put a text that holds ": " in quotes, and begin keys of one level in one column',
    ),
    ("could not find expected ':'", "no colon follows the key", 'Write key: value, with ": " between them'),
    (
        "quoted scalar",
        "a quote that opens here is never closed, or a backslash in it means nothing",
        "Close the quote; between double quotes write two backslashes for one",
    ),
    (
        "while parsing a flow",
        "a bracket is not closed, or a comma is missing",
        "Write [1, 2] or {a: 1, b: 2}",
    ),
    (
        "expected <block end>",
        "the line does not begin in the column of its neighbours",
        "Indent it like them",
    ),
    ("undefined alias", "the alias (*) names nothing above it", "Put a text that begins with * in quotes"),
    ("duplicate anchor", "an anchor (&) of this name stands above already", "Give it another name"),
    ("cannot start any token", "no text can begin with this character", "Put the text in quotes"),
    ("", "this is no YAML", "Write key: value, and put a text with special characters in quotes"),
)
# The end of the file, or the next line, is no place to look for what was left open.
_OPEN_ENDED = ("quoted scalar", "<stream end>", "could not find expected ':'")


def explain_syntax(error: yaml.MarkedYAMLError, place: Place) -> UsageError:
    """Return what PyYAML could not read as an error for the user."""
    said = f"{error.context} {error.problem}"
    is_open = any(fragment in said for fragment in _OPEN_ENDED)
    mark = error.context_mark if is_open else error.problem_mark
    what, todo = next((what, todo) for fragment, what, todo in _SENTENCES if fragment in said)
    return UsageError(f"{place(mark.line if mark else 0)}: {what}.", f"{todo}.")


def explain_character(error: ReaderError, text: str, place: Place) -> UsageError:
    """Return a character that YAML forbids as an error for the user."""
    letter = text[error.position]
    name = unicodedata.name(letter, f"U+{ord(letter):04X}")
    line = text.count("\n", 0, error.position)
    return UsageError(f"{place(line)}: YAML allows no character {name}.", "Remove it.")
