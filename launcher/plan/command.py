"""Make the argv of a run from the job's `run` and the run's parameters. Pure.

In shell text every inserted value is quoted, also where the text has quotes of its own around the place:
those are closed before it and opened again behind it, so that a value is always data. An argv meets no
shell.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.plan import shell_text
from launcher.plan.values import with_fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.spec import Value

_ALL = "params"
_SHELL = ("/bin/sh", "-c")
_LONGEST_BYTES = 128 * 1024 - 1  # Linux takes no longer single argument
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WHERE = "Name {params} in run where the parameters belong."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value goes; `quote` is the quote that shell text has open there."""

    name: str
    quote: str = ""


Pieces = tuple[str | Place, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A `run`, read once a job: shell text is one word, an argv several, each of texts and places."""

    is_shell: bool
    words: tuple[Pieces, ...]

    @property
    def has_places(self) -> bool:
        """Whether something is still to be inserted; once it is filled that is the seed."""
        return any(isinstance(piece, Place) for pieces in self.words for piece in pieces)

    def fill(self, params: Mapping[str, Value]) -> Command:
        """Insert parameters, the fold among them; a parameter named seed stands before the seed."""
        if self.is_shell:
            return Command(True, (tuple(_shell_piece(piece, params) for piece in self.words[0]),))
        return Command(False, tuple(word for pieces in self.words for word in _argv_words(pieces, params)))

    def render(self, *, seed: int | None) -> tuple[str, ...]:
        """Return the argv of a filled command."""
        words = ("".join(_with_seed(piece, seed) for piece in pieces) for pieces in self.words)
        argv = (*_SHELL, *words) if self.is_shell else tuple(words)
        for argument in argv:
            _check_argument(argument)
        return argv


def render_command(
    run: str | Sequence[str],
    *,
    params: Mapping[str, Value],
    seed: int | None,
    fold: int | None,
    folds: int | None,
) -> tuple[str, ...]:
    """Return the argv of one run.

    Raises:
        UsageError: `run` names what the job does not have, or names it where no value can stand.
    """
    command = read_command(run, names=tuple(params), has_seed=seed is not None, has_folds=folds is not None)
    return command.fill(with_fold(dict(params), fold=fold, folds=folds)).render(seed=seed)


def read_command(
    run: str | Sequence[str], *, names: Sequence[str], has_seed: bool, has_folds: bool
) -> Command:
    """Read a job's `run`; `names` are its parameters without the fold.

    Raises:
        UsageError: as `render_command`.
    """
    own = [word for word, there in (("seed", has_seed), ("fold", has_folds), ("folds", has_folds)) if there]
    texts = [run] if isinstance(run, str) else run
    words = [_split(text, {_ALL, *names, *own}) for text in texts]
    named = {piece.name for word in words for piece in word if isinstance(piece, Place)}
    if (names or has_folds) and not named & {_ALL, *names}:
        words = _append(words, is_shell=isinstance(run, str))
    if isinstance(run, str):
        words = [_with_quotes(words[0])]
    else:
        _check_alone(words)
    return Command(isinstance(run, str), tuple(words))


def _split(text: str, known: set[str]) -> Pieces:
    """Split into texts and places; `{{` and `}}` are braces, and so is what holds no word."""
    pieces: list[str | Place] = []
    end = 0
    for found in _PLACE.finditer(text):
        pieces += [text[end : found.start()], _piece(found, known)]
        end = found.end()
    return tuple(piece for piece in (*pieces, text[end:]) if piece != "")


def _piece(found: re.Match[str], known: set[str]) -> str | Place:
    name = found[1]
    if name is None:
        return found[0][0]
    if name in known:
        return Place(name)
    if _WORD.fullmatch(name):
        raise _unknown(name, known)
    return found[0]


def _unknown(name: str, known: set[str]) -> UsageError:
    what = f"run names {{{name}}}, which is no parameter of the job."
    if name == "seed":
        return UsageError(
            "run names {seed}, but the job says seed: none.", "Give it a seed, or leave {seed} out."
        )
    if name in {"fold", "folds"}:
        return UsageError(f"run names {{{name}}}, but the job has no folds.", "Write folds: 10, for example.")
    close = get_close_matches(name, sorted(known), 1)
    if close:
        return UsageError(what, f"Did you mean {{{close[0]}}}? For a plain brace write {{{{{name}}}}}.")
    there = ", ".join(f"{{{word}}}" for word in sorted(known))
    return UsageError(what, f"There is {there}. For a plain brace write {{{{{name}}}}}.")


def _append(words: list[Pieces], *, is_shell: bool) -> list[Pieces]:
    """Add all parameters at the end, where the shell text ends in a command that could take them."""
    if not is_shell:
        return [*words, (Place(_ALL),)]
    *pieces, last = words[0] or ("",)
    text = last.rstrip() if isinstance(last, str) else last
    if isinstance(text, str) and text.endswith((";", "&", "|")):
        raise UsageError(f"run ends with {text[-1]}, where no parameters can be added.", _WHERE)
    written = "".join(piece for piece in words[0] if isinstance(piece, str))
    if "<<" not in written and (within := shell_text.follow(written, ())) and within[-1] in shell_text.QUOTES:
        raise UsageError(f"run leaves a quote open: {within[-1]}", "Close it.")
    return [(*pieces, text, " ", Place(_ALL))]


def _with_quotes(pieces: Pieces) -> Pieces:
    """Note at each place which quote is open there.

    Raises:
        UsageError: it stands where no quoting keeps a value whole.
    """
    quoted: list[str | Place] = []
    within: tuple[str, ...] = ()
    before = ""
    for piece in pieces:
        if isinstance(piece, str):
            before += piece
            within = shell_text.follow(piece, within)
            quoted.append(piece)
        else:
            inside = within[-1] if within else ""
            _check_place(piece.name, inside=inside, before=before)
            quoted.append(Place(piece.name, inside if inside in shell_text.QUOTES else ""))
    return tuple(quoted)


def _check_place(name: str, *, inside: str, before: str) -> None:
    place = f"run has {{{name}}}"
    if "<<" in before:
        raise UsageError(
            f"{place} behind a here-document (<<).", "Put that text into a file of the job's folder."
        )
    if inside == shell_text.BACKSLASH:
        raise UsageError(
            f"{place} behind a backslash.", "Take the backslash away; for a plain brace write {{."
        )
    if inside == shell_text.COMMENT:
        raise UsageError(f"{place} in a comment, or at its end.", _WHERE)
    if inside == shell_text.BACKQUOTE:
        raise UsageError(f"{place} in backquotes.", "Write $(...) instead of them.")
    if name == _ALL and inside in shell_text.QUOTES:
        raise UsageError(f"{place} in quotes, which would make one word of all.", "Take the quotes away.")


def _check_alone(words: Sequence[Pieces]) -> None:
    if any(Place(_ALL) in word and len(word) > 1 for word in words):
        raise UsageError("run has {params} within a word of a list.", "Make {params} a word of its own.")


def _shell_piece(piece: str | Place, params: Mapping[str, Value]) -> str | Place:
    if isinstance(piece, str):
        return piece
    if piece.name == _ALL:
        return shlex.join(_options(params))
    if piece.name not in params:
        return piece
    value = params[piece.name]
    return "" if value is None else piece.quote + shlex.quote(_text(value)) + piece.quote


def _argv_words(pieces: Pieces, params: Mapping[str, Value]) -> tuple[Pieces, ...]:
    match pieces:
        case (Place(name=name),) if name == _ALL:
            return tuple((option,) for option in _options(params))
        case (Place(name=name),) if name in params and params[name] is None:
            return ()
    return (tuple(_argv_piece(piece, params) for piece in pieces),)


def _argv_piece(piece: str | Place, params: Mapping[str, Value]) -> str | Place:
    return _text(params[piece.name]) if isinstance(piece, Place) and piece.name in params else piece


def _with_seed(piece: str | Place, seed: int | None) -> str:
    return piece if isinstance(piece, str) else f"{piece.quote}{seed}{piece.quote}"


def _options(params: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(f"--{name}={_text(value)}" for name, value in params.items() if value is not None)


def _text(value: Value) -> str:
    """Write a value as a command line has it."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
    return json.dumps(value, ensure_ascii=False)


def _check_argument(argument: str) -> None:
    try:
        size = len(argument.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise _no_argument("half a character") from None
    if "\0" in argument:
        raise _no_argument("a zero byte")
    if size > _LONGEST_BYTES:
        raise _no_argument(f"{size:,} bytes")


def _no_argument(what: str) -> UsageError:
    return UsageError(
        f"A command line would hold {what} in one argument, and no process can be given that.",
        "Put the value into a file, or read it from the file that LAUNCHER_PARAMS names.",
    )
