"""Say what is wrong with a job file: where, which key, what was found, what to write."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.spec.job_file import LATER, JobFile

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from launcher.spec.document import Document

_LONGEST = 60

# By key: what is expected, and what to write.
_EXPECTED = {
    "run": ("a command or a list of words", "run: python train.py"),
    "name": (
        "a name of 1 to 64 letters, digits, dots, dashes and underscores that begins with a letter or digit",
        "name: my-job",
    ),
    "folder": ("a folder", "folder: my-experiment"),
    "params": ("parameters with values", "params: {epochs: 20}"),
    "grid": ("a list of values", "grid: {units: [4, 16]}"),
    "repeats": ("a whole number from 1 on", "repeats: 10"),
    "folds": ("a whole number from 2 on", "folds: 10"),
    "seed": ("a whole number from 0 on, or none", "seed: 7"),
    "metric": ("the name of a metric", "metric: val_loss"),
    "mode": ("min or max", "mode: max"),
    "needs": ("what a run needs", "needs: {gpus: 1}"),
    "needs.gpus": ("0, a whole number, or a fraction below 1", "gpus: 1"),
    "machine": ("what may be rented", "machine: {types: [g6.xlarge]}"),
    "machine.types": ("a list of instance types", "types: [g6.xlarge, g5.xlarge]"),
    "machine.spot": ("true or false", "spot: true"),
    "machine.regions": ("a list of regions", "regions: [us-west-2]"),
    "limits": ("limits", "limits: {run: 2h}"),
    "limits.run": ("a duration", "run: 2h"),
    "limits.stall": ("a duration", "stall: 15m"),
    "limits.batch": ("a duration", "batch: 9h"),
    "limits.retries": ("a whole number from 0 to 100", "retries: 1"),
    "limits.usd": ("an amount of US dollars", "usd: 12"),
    "environment": ("the name of a requirements file", "environment: requirements.txt"),
    "env": ("a text", 'env: {TF_CPP_MIN_LOG_LEVEL: "2"}'),
    "after": ("a list of jobs", "after: [other-job]"),
    "stop_on_nan": ("true or false", "stop_on_nan: true"),
}
_NAMED = frozenset({"params", "grid", "env"})


def explain(error: ValidationError, document: Document) -> UsageError:
    """Return the first thing that is wrong, as an error for the user."""
    details = error.errors(include_url=False)[0]
    path = tuple(part for part in details["loc"] if part != "[key]")
    place = document.place_of(_known(path, document))
    if details["type"] == "extra_forbidden":
        return _explain_unknown(path, place)
    if details["type"] == "missing":
        return UsageError(f"{document.source}: run is missing.", "Write: run: python train.py")
    return _explain_value(details, path, place)


def _known(path: tuple[str | int, ...], document: Document) -> tuple[str | int, ...]:
    """Drop the steps that pydantic adds for unions, which are no keys."""
    value: Any = document.values
    found: list[str | int] = []
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        found.append(step)
    return tuple(found)


def _explain_unknown(path: tuple[str | int, ...], place: str) -> UsageError:
    key, section = str(path[-1]), ".".join(map(str, path[:-1]))
    if key in LATER and not section:
        return UsageError(f"{place}: {key} does not work yet.", f"Leave {key} out.")
    keys = _keys_of(section)
    close = get_close_matches(key, keys, n=1)
    todo = f"Did you mean {close[0]}?" if close else f"Known keys: {', '.join(keys)}."
    return UsageError(f"{place}: {'.'.join(map(str, path))}: there is no such key.", todo)


def _keys_of(section: str) -> list[str]:
    fields = JobFile.model_fields
    return list(fields[section].annotation.model_fields if section else fields)  # type: ignore[union-attr]


def _explain_value(details: ErrorDetails, path: tuple[str | int, ...], place: str) -> UsageError:
    key = ".".join(map(str, path[:2])) if ".".join(map(str, path[:2])) in _EXPECTED else str(path[0])
    expected, example = _EXPECTED[key]
    if details["loc"][-1] == "[key]" and key in _NAMED:
        letters = (
            "letters, digits, dots, dashes and underscores"
            if key != "env"
            else "letters, digits and underscores"
        )
        return UsageError(
            f"{place}: {key}: {_shown(path[-1])} can't be a name here.",
            f"Write {letters}, beginning with a letter.",
        )
    return UsageError(
        f"{place}: {_name(path, key)}: {_shown(details['input'])} is not {expected}.", f"Write {example}."
    )


def _name(path: tuple[str | int, ...], key: str) -> str:
    """Return the key that is wrong, with the parameter or variable where there is one."""
    return ".".join(map(str, path[:2])) if key in _NAMED and len(path) > 1 else key


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
