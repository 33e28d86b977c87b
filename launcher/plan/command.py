"""From a job's `run` and a run's parameters to the argv that starts it."""

from __future__ import annotations

import json
import re
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from launcher.spec import Value

_SHELL = ("/bin/sh", "-c")
_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_ALL = "params"
_ALONE = "{params}"
# These may be named without saying that the script takes the others by name as well.
_EXTRA = frozenset({"seed", "fold", "folds"})


def render_command(
    run: str | Sequence[str], *, params: Mapping[str, Value], seed: int | None
) -> tuple[str, ...]:
    """Return the argv of a run.

    Args:
        run: shell text, in which every inserted value is quoted, or words that no shell sees.
        params: the run's parameters, `fold` and `folds` among them where the job has folds.

    Raises:
        UsageError: a `{word}` names no parameter.
    """
    values = {name: format_value(value) for name, value in params.items()} | {"seed": format_value(seed)}
    words = _flags(params)
    template = run if isinstance(run, str) else " ".join(run)
    if isinstance(run, str):
        text = run.rstrip() if _names_params(template, params) else f"{run.rstrip()} {_ALONE}"
        quoted = {name: shlex.quote(value) for name, value in values.items()}
        return (*_SHELL, _fill(text, {**quoted, _ALL: shlex.join(words)}).rstrip())
    template_words = tuple(run) if _names_params(template, params) else (*run, _ALONE)
    fill = {**values, _ALL: shlex.join(words)}
    filled = (words if word == _ALONE else (_fill(word, fill),) for word in template_words)
    return tuple(word for group in filled for word in group)


def format_value(value: Value) -> str:
    """Return a value as a script reads it: true and false in lower case, lists and mappings as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)


def _flags(params: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(f"--{name}={format_value(value)}" for name, value in params.items() if value is not None)


def _names_params(template: str, params: Mapping[str, Value]) -> bool:
    named = {match[1] for match in _FIELD.finditer(template) if match[1]}
    return bool(named & ({_ALL, *params} - _EXTRA))


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(_filler(template, values), template)


def _filler(template: str, values: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in values:
            raise _unknown(name, template, values)
        return values[name]

    return fill


def _unknown(name: str, template: str, values: Mapping[str, str]) -> UsageError:
    close = get_close_matches(name, values, n=1)
    meant = f"Did you mean {{{close[0]}}}? " if close else ""
    return UsageError(
        f"run: {template}: {{{name}}} is no parameter.",
        f"{meant}For the word itself write {{{{{name}}}}}.",
    )
