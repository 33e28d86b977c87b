"""The form of a job file: pydantic reads it, checks it and tells editors about it. Touches no files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
)

from launcher.errors import UsageError
from launcher.spec.job import MOST_RUNS, REGIONS, TYPES
from launcher.spec.quantities import DURATION_PATTERN, USD_PATTERN, parse_duration_s, parse_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.config import JsonDict

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
OPEN = frozenset({"params", "grid", "env"})  # below these, names are the user's own

LARGEST_SEED = 2**32 - 1 - MOST_RUNS  # of repeat 0: NumPy takes 32 bits
_MOST_GPUS = 1000
_SMALLEST_SHARE = 0.01


def _read_duration(value: Any) -> float:
    return _quantity(parse_duration_s, value if isinstance(value, str) else "")


def _read_usd(value: Any) -> float:
    return _quantity(parse_usd, str(value))


def _quantity(parse: Callable[[str], float], text: str) -> float:
    try:
        return parse(text)
    except UsageError as error:
        raise ValueError(error.what) from error  # which pydantic gathers


def _read_gpus(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")  # noqa: TRY004 - pydantic gathers ValueErrors
    if value == int(value) and 0 <= value <= _MOST_GPUS:
        return int(value)
    if _SMALLEST_SHARE <= value < 1:
        return value
    raise ValueError("neither whole nor a share")


def _read_seed(value: Any) -> int | None:
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_SEED:
        raise ValueError("no seed")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_command(run: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if not (run if isinstance(run, str) else run[0]).strip():
        raise ValueError("nothing to run")
    return run


def _check_different(values: list[JsonValue]) -> list[JsonValue]:
    if len({json.dumps(value, sort_keys=True) for value in values}) < len(values):
        raise ValueError("a value stands there twice")
    return values


def _check_variable(name: str) -> str:
    if name.startswith("LAUNCHER_"):
        raise ValueError("launcher sets it")
    return name


_ONE_OR_SOME = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_ONE_OR_MORE = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_CLOSED: JsonDict = {"additionalProperties": False}

Duration = Annotated[
    float,
    PlainValidator(_read_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["90s", "15m", "1h30m"]}),
]
Usd = Annotated[
    float,
    PlainValidator(_read_usd),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0.01}, {"type": "string", "pattern": USD_PATTERN}]}
    ),
]
Gpus = Annotated[
    float,
    PlainValidator(_read_gpus),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _MOST_GPUS},
                {"type": "number", "minimum": _SMALLEST_SHARE, "exclusiveMaximum": 1},
            ]
        }
    ),
]
Seed = Annotated[
    int | None,
    PlainValidator(_read_seed),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}, {"const": "none"}]}
    ),
]
Word = Annotated[str, Field(pattern=r"\S")]
Words = Annotated[tuple[Word, ...], Field(strict=False), BeforeValidator(_as_list)]
SomeWords = Annotated[Words, Field(min_length=1), WithJsonSchema(_ONE_OR_MORE)]
Command = Annotated[
    Word | Annotated[tuple[str, ...], Field(min_length=1, strict=False)],
    AfterValidator(_check_command),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
            ]
        }
    ),
]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_check_variable)]
VariableValue = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Choices = Annotated[
    list[JsonValue],
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_check_different),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NeedsSection(_Section):
    """What a run needs."""

    gpus: Gpus = Field(1, description="0, a whole number, or a fraction when small runs may share one GPU")


class MachineSection(_Section):
    """What may be rented; ignored on this computer."""

    types: SomeWords = Field(TYPES, description="EC2 instance types in order of preference")
    spot: bool = Field(False, description="take spot capacity where there is some")
    regions: SomeWords = Field(REGIONS, description="AWS regions in order of preference")


class LimitsSection(_Section):
    """What a run, and the batch, may take."""

    run: Duration | None = Field(None, description="the longest that a run may take, as 2h")
    stall: Duration | None = Field(None, description="the longest without a byte of log or an epoch, as 15m")
    retries: int = Field(
        0, ge=0, le=100, description="how often a failed, stalled or timed out run is tried again"
    )
    batch: Duration | None = Field(None, description="the longest that the batch may take, as 9h")
    usd: Usd | None = Field(None, description="the most that the batch may cost, in US dollars")


class StopWhenSection(_Section):
    """When a fit ends early."""

    metric: Word = Field(description="a name that Keras logs, as val_loss")
    patience: int = Field(ge=1, le=1_000_000, description="epochs without a better value")
    min_delta: float = Field(0, ge=0, strict=False, description="what counts as better")
    mode: Literal["min", "max"] | None = Field(
        None, description="which way it is better; default: by its name"
    )


class JobFile(_Section):
    """One job: what to run, with which parameters, on what, within which limits."""

    name: str | None = Field(None, pattern=NAME_PATTERN, description="default: the file's name")
    folder: Word = Field(
        ".", description="what is copied and where runs start; default: the file's own folder"
    )
    run: Command = Field(description="a line for the shell, or a list of words that no shell sees")
    params: dict[ParameterName, JsonValue] = Field(
        {}, description="the same in every run", json_schema_extra=_CLOSED
    )
    grid: dict[ParameterName, Choices] = Field(
        {}, description="values to vary; every combination is a variant", json_schema_extra=_CLOSED
    )
    repeats: int = Field(1, ge=1, le=MOST_RUNS, description="runs a variant, with seeds seed, seed + 1, ...")
    folds: int | None = Field(
        None, ge=2, le=MOST_RUNS, description="k runs a repeat; fold and folds are parameters"
    )
    seed: Seed = Field(0, description="of the first repeat; none leaves the script's randomness alone")
    metric: Word | None = Field(None, description="what compare looks at: a logged name, or evaluate.NAME")
    mode: Literal["min", "max"] | None = Field(None, description="which way the metric is better")
    needs: NeedsSection = Field(default_factory=NeedsSection)
    machine: MachineSection = Field(default_factory=MachineSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    environment: Word | None = Field(None, description="a requirements file, installed once per content")
    env: dict[VariableName, VariableValue] = Field(
        {}, description="environment variables, as text as written", json_schema_extra=_CLOSED
    )
    after: Annotated[Words, WithJsonSchema(_ONE_OR_SOME)] = Field(
        (), description="jobs that must have succeeded before"
    )
    stop_on_nan: bool = Field(False, description="end a run whose loss is no number any more")
    warm: bool = Field(True, description="start runs from a process that has done the script's imports")
    backend: Literal["tensorflow", "jax", "torch"] | None = Field(
        None, description="of Keras; default: what the script, the environment or keras.json says"
    )
    stop_when: StopWhenSection | None = Field(None, description="end fits that get no better")
    fast: bool = Field(False, description="let Keras go through an epoch of arrays in one call of TensorFlow")
    checkpoint: Duration | None = Field(
        None, description="the time between checkpoints from which an interrupted run goes on, as 5m"
    )
