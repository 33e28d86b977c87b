"""Settings say where, not what: pyproject.toml, then the user's file, then LAUNCHER_*, then flags.

Only reads. How a setting is written differs between the four; each source knows its way.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from launcher.errors import UsageError
from launcher.runner import names
from launcher.settings.known import EXPECTED, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PREFIX = "LAUNCHER_"
_NO_SETTINGS = frozenset({names.ENV_OUTPUT, names.ENV_PARAMS, names.ENV_SEED, names.ENV_RUN})
_TABLE = "[tool.launcher]"


@dataclass(frozen=True, slots=True)
class _Source:
    """Settings from one place.

    Attributes:
        is_text: whether all values are text, as in the environment.
        place: where a setting stands, with its name.
        write: how a setting is written there.
    """

    values: Mapping[str, Any]
    is_text: bool
    place: Callable[[str], str]
    write: Callable[[str, Any], str]


def load_settings(
    folder: Path, *, user_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> Settings:
    """Gather the settings; what comes later wins.

    Args:
        folder: where to look for the nearest pyproject.toml.
        user_file: the user's own settings, which need not exist.
        flags: what the command line said.

    Raises:
        UsageError: a file can't be read, or a setting is unknown or of the wrong kind.
    """
    gathered: dict[str, Any] = {}
    for source in _sources(folder, user_file, environ, flags):
        gathered |= _check(source)
    return Settings(**gathered)


def _sources(
    folder: Path, user_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> Iterator[_Source]:
    projects = (above / "pyproject.toml" for above in (folder, *folder.parents))
    if project := next((path for path in projects if path.is_file()), None):
        yield _from_toml(project, table=_TABLE)
    if user_file and user_file.is_file():
        yield _from_toml(user_file, table="")
    yield _from_environment(environ)
    yield _Source(flags, False, lambda key: f"--{key}", lambda key, value: f"--{key} {value}")


def _from_environment(environ: Mapping[str, str]) -> _Source:
    variables = [name for name in environ if name.startswith(_PREFIX) and name not in _NO_SETTINGS]
    return _Source(
        values={_setting_of(name): environ[name] for name in variables},
        is_text=True,
        place=_variable_of,
        write=lambda key, value: (
            f"{_variable_of(key)}={','.join(value) if isinstance(value, list) else value}"
        ),
    )


def _setting_of(variable: str) -> str:
    """Return what a variable sets; one that is not in upper case sets nothing, and stays as it is."""
    return variable.removeprefix(_PREFIX).lower() if variable.isupper() else variable


def _variable_of(key: str) -> str:
    return key if key.startswith(_PREFIX) else _PREFIX + key.upper()


def _as_text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _from_toml(path: Path, *, table: str) -> _Source:
    text = _read(path)
    values = _parse(text, path)
    for step in re.findall(r"\w+", table):
        values = values.get(step, {})
        if not isinstance(values, dict):
            raise UsageError(f"{path}: {step} is {_show(values)}, not a table.", f"Write {table} on a line.")
    return _Source(
        values=values,
        is_text=False,
        place=lambda key: f"{path}{_line_of(key, text, table)}: {key}",
        write=lambda key, value: f"{key} = {_show(value)}",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the text is not UTF-8.", "Save the file as UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.", "Make it readable.") from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # which names line and column
        raise UsageError(f"{path}: this is no TOML: {error}.", "Mend the file.") from error
    except RecursionError as error:
        raise UsageError(f"{path}: this is nested too deeply.", "Mend the file.") from error


def _line_of(key: str, text: str, table: str) -> str:
    """Return `:line` of a setting that is written the usual way, else nothing."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.strip().startswith(table)), len(lines))
    found = (
        number for number in range(first, len(lines)) if re.match(rf"\s*{re.escape(key)}\s*=", lines[number])
    )
    return next((f":{number + 1}" for number in found), "")


def _check(source: _Source) -> Mapping[str, Any]:
    try:
        checked = Settings.model_validate(source.values, strict=not source.is_text)
    except ValidationError as error:
        raise _explain(error, source) from error
    return {key: getattr(checked, key) for key in source.values}


def _explain(error: ValidationError, source: _Source) -> UsageError:
    details = error.errors(include_url=False)[0]
    key = str(details["loc"][0])
    place = source.place(key)
    if details["type"] == "extra_forbidden":
        close = get_close_matches(key.removeprefix(_PREFIX).lower(), EXPECTED, n=1)
        meant = source.write(close[0], EXPECTED[close[0]][1]) if close else ""
        return UsageError(
            f"{place}: there is no such setting.",
            f"Did you mean {meant}?" if close else f"Known settings: {', '.join(EXPECTED)}.",
        )
    expected, example = EXPECTED[key]
    given = source.values[key]
    return UsageError(f"{place}: {_show(given)} is not {expected}.", f"Write {source.write(key, example)}.")


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
