"""Say what is wrong with a job file: where, which key, what was found, what to write. Pure.

No sentence comes from pydantic: it tells which field is wrong, and the table here what that field takes.
"""

from __future__ import annotations

import json
import shlex
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from launcher.errors import UsageError
from launcher.spec.job_file import LARGEST_SEED, OPEN, JobFile
from launcher.spec.shown import show_text, show_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError

    from launcher.spec.document import Document

FLAG = "--set "

_MAP = "a mapping of keys and values"
_DURATION = "a duration of up to ten years, with its units"
# By key: what it takes, and an example. `.*` is what stands below the user's own names.
_EXPECTED = {
    "name": ("a name of up to 64 letters, digits and . _ -, the first a letter or digit", "my-job"),
    "folder": ("a folder", "my-experiment"),
    "run": ("a command or a list of words", "python train.py"),
    "params": (_MAP, "{epochs: 20}"),
    "grid": (_MAP, "{units: [4, 16]}"),
    "grid.*": ("a list of one or more different values", "[4, 16]"),
    "repeats": ("a whole number from 1 to 100,000", "10"),
    "folds": ("a whole number from 2 to 100,000", "10"),
    "seed": (f"a whole number from 0 to {LARGEST_SEED}, or none", "7"),
    "metric": ("the name of a metric", "val_loss"),
    "mode": ("min or max", "max"),
    "needs": (_MAP, "{gpus: 1}"),
    "needs.gpus": ("a number of GPUs: 0 to 1,000, or a share from 0.01", "1"),
    "machine": (_MAP, "{types: [g6.xlarge]}"),
    "machine.types": ("a list of instance types", "[g6.xlarge, g5.xlarge]"),
    "machine.spot": ("true or false", "true"),
    "machine.regions": ("a list of regions", "[us-west-2]"),
    "limits": (_MAP, "{run: 2h}"),
    "limits.run": (_DURATION, "2h"),
    "limits.stall": (_DURATION, "15m"),
    "limits.retries": ("a whole number from 0 to 100", "1"),
    "limits.batch": (_DURATION, "9h"),
    "limits.usd": ("an amount of US dollars, from 0.01", "12"),
    "environment": ("the name of a requirements file", "requirements.txt"),
    "env": (_MAP, '{TF_CPP_MIN_LOG_LEVEL: "2"}'),
    "env.*": ("a text", '"2"'),
    "after": ("a list of jobs", "[other-job]"),
    "stop_on_nan": ("true or false", "true"),
    "warm": ("true or false", "false"),
    "backend": ("tensorflow, jax or torch", "jax"),
    "stop_when": (_MAP, "{metric: val_loss, patience: 10}"),
    "stop_when.metric": ("the name of a metric", "val_loss"),
    "stop_when.patience": ("a whole number from 1 to 1,000,000", "10"),
    "stop_when.min_delta": ("a number from 0", "0.001"),
    "stop_when.mode": ("min or max", "max"),
    "fast": ("true or false", "true"),
    "checkpoint": (_DURATION, "5m"),
}
_PARAMS = {"params": None}  # what YAML makes of {params} without quotes
_NAMES = {
    "params": "letters, digits and . _ -, the first a letter or _",
    "grid": "letters, digits and . _ -, the first a letter or _",
    "env": "letters, digits and _, the first no digit; LAUNCHER_ is for launcher",
}


def explain(error: ValidationError, document: Document) -> UsageError:
    """Return what is wrong, one thing at a time, as an error for the user."""
    found = error.errors(include_url=False, include_context=False)
    # A misspelt key goes first: what seems to be missing is often what was meant.
    details = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = document.place_of(*details["loc"])
    path = tuple(str(step) for step in details["loc"])
    if details["type"] == "extra_forbidden":
        return _explain_unknown(path, place)
    if details["type"] == "missing":
        example = _EXPECTED[".".join(path)][1]
        return UsageError(f"{place}: {'.'.join(path)} is missing.", f"Write {_write(path, example, place)}.")
    if path[-1] == "[key]":
        return UsageError(
            f"{place}: {path[0]}: {show_value(path[1])} can't be a name here.", f"Write {_NAMES[path[0]]}."
        )
    return _explain_value(path, document)


def check_key(path: Sequence[str], place: str) -> None:
    """Check that a job has such a field.

    Raises:
        UsageError: it has none.
    """
    if path[0] in OPEN:
        return
    for length, key in enumerate(path):
        if key not in _keys_of(path[:length]):
            raise _explain_unknown(path[: length + 1], place)


def _explain_unknown(path: Sequence[str], place: str) -> UsageError:
    *section, key = path
    return UsageError(f"{place}: {show_text('.'.join(path))}: there is no such key.", _suggest(section, key))


def _suggest(section: Sequence[str], key: str) -> str:
    known = _keys_of(section)
    elsewhere = [f"{name}.{key}" for name in _keys_of(()) if key in _keys_of((name,))]
    close = [".".join((*section, near)) for near in get_close_matches(key.lower(), known, n=1)]
    if meant := elsewhere or close:
        return f"Did you mean {meant[0]}?"
    if not section:
        return f"Known keys: {', '.join(known)}; parameters of the script go below params."
    return f"Known keys: {', '.join(known)}." if known else f"{'.'.join(section)} has no keys."


def _keys_of(section: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of a section; a field that is no section has none."""
    fields = JobFile.model_fields
    if section:
        kind = _kind_of(fields[section[0]].annotation) if len(section) == 1 else None
        fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
    return tuple(fields)


def _kind_of(annotation: Any) -> Any:
    """Return what a field holds where it may also be left out."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _explain_value(path: Sequence[str], document: Document) -> UsageError:
    is_own = path[0] in OPEN and len(path) > 1
    # What pydantic adds to the path, for the branch of a union or an index, is no key.
    keys = path[:2] if is_own or ".".join(path[:2]) in _EXPECTED else path[:1]
    found = _value_at(keys, document)
    what, example = _wanted(f"{path[0]}.*" if is_own else ".".join(keys), found)
    place = document.place_of(*keys)
    return UsageError(
        f"{place}: {show_text('.'.join(keys))}: {show_value(found)} is not {what}.",
        f"Write {_write(keys, example, place)}.",
    )


def _value_at(keys: Sequence[str], document: Document) -> Any:
    value: Any = document.values
    for key in keys:
        value = value[key]
    return value


def _wanted(field: str, found: Any) -> tuple[str, str]:
    """Return what a field takes, and an example, made of what was found where that is likely meant."""
    what, example = _EXPECTED[field]
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if what == _DURATION and is_number and found > 0:
        return what, f"{found}s"
    if field == "grid.*" and not isinstance(found, list | dict | None):
        return what, f"[{show_value(found)}]"
    if field == "name" and is_number:
        return "a text", json.dumps(str(found))
    if field == "run" and _PARAMS in (found if isinstance(found, list) else [found]):
        return "a list of words, since { begins a mapping", '[python, train.py, "{params}"]'
    return what, example


def _write(keys: Sequence[str], example: str, place: str) -> str:
    """Return how a value is written, in a file or after `--set`."""
    if place.startswith(FLAG):
        return FLAG + shlex.quote(f"{'.'.join(keys)}={example}")
    return f"{keys[-1]}: {example}"
