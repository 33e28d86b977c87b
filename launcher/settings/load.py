"""Settings say where, not what: pyproject.toml, then the user's file, then LAUNCHER_*, then flags."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from launcher.errors import UsageError
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PREFIX = "LAUNCHER_"
_NO_SETTINGS = frozenset({names.ENV_OUTPUT, names.ENV_PARAMS, names.ENV_SEED, names.ENV_RUN})
_EXPECTED = {
    "on": ("a place", 'on = "local"'),
    "slots": ("a whole number from 1 on", "slots = 2"),
}


class Settings(BaseModel):
    """Where batches run.

    Attributes:
        on: the place, as after `--on`.
        slots: how many runs at a time; None is what the place offers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: str = Field("local", min_length=1)
    slots: int | None = Field(None, ge=1)


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
    for place, values in _sources(folder, user_file, environ, flags):
        gathered |= _check(values, place)
    return Settings(**gathered)


def _sources(
    folder: Path, user_file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    project = next(
        (file for above in (folder, *folder.parents) if (file := above / "pyproject.toml").is_file()), None
    )
    if project:
        yield f"{project}: [tool.launcher]", _read(project).get("tool", {}).get("launcher", {})
    if user_file and user_file.is_file():
        yield str(user_file), _read(user_file)
    variables = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
    wanted = {name: value for name, value in variables.items() if name not in _NO_SETTINGS and name.isupper()}
    yield "environment", {name.removeprefix(_PREFIX).lower(): value for name, value in wanted.items()}
    yield "command line", flags


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}.", "Mend the file.") from error


def _check(values: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    try:
        checked = Settings(**values)
    except ValidationError as error:
        raise _explain(error, place) from error
    return {key: getattr(checked, key) for key in values}


def _explain(error: ValidationError, place: str) -> UsageError:
    details = error.errors(include_url=False)[0]
    key = str(details["loc"][0])
    if details["type"] == "extra_forbidden":
        close = get_close_matches(key, Settings.model_fields, n=1)
        todo = (
            f"Did you mean {close[0]}?" if close else f"Known settings: {', '.join(Settings.model_fields)}."
        )
        return UsageError(f"{place}: there is no setting {key}.", todo)
    expected, example = _EXPECTED[key]
    return UsageError(f"{place}: {key}: {details['input']!r} is not {expected}.", f"Write {example}.")
