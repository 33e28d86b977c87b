"""The form of a job file: pydantic reads it, checks it and tells editors about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema

from launcher.errors import UsageError
from launcher.spec.job import REGIONS, TYPES
from launcher.spec.quantities import format_duration, parse_duration_s, parse_usd

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LATER = ("warm", "fast", "backend", "checkpoint", "stop_when")
MOST_RUNS = 100_000
MOST_SEED = 2**32 - 1 - MOST_RUNS  # NumPy takes 32 bits, and repeats count on from here


def _duration(value: Any) -> float:
    return _quantity(parse_duration_s, value if isinstance(value, str) else "")


def _usd(value: Any) -> float:
    return _quantity(parse_usd, str(value))


def _quantity(parse: Callable[[str], float], text: str) -> float:
    try:
        return parse(text)
    except UsageError as error:
        raise ValueError(error.what) from error  # which pydantic gathers


def _gpus(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")  # noqa: TRY004 - pydantic gathers ValueErrors
    if value < 0 or (value > 1 and value != int(value)):
        raise ValueError("neither whole nor a fraction")
    return value


def _seed(value: Any) -> int | None:
    if value == "none":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        raise ValueError("no seed")
    return value


def _texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": r"^(?=.)([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?$"}),
]
Usd = Annotated[float, BeforeValidator(_usd), WithJsonSchema({"type": ["number", "string"]})]
Gpus = Annotated[float, BeforeValidator(_gpus), WithJsonSchema({"type": "number", "minimum": 0})]
Seed = Annotated[
    int | None,
    BeforeValidator(_seed),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "none"}]}),
]
Word = Annotated[str, Field(pattern=r"\S")]
Words = Annotated[tuple[Word, ...], BeforeValidator(_texts, json_schema_input_type=str | tuple[Word, ...])]
Argv = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=False)


class NeedsSection(_Section):
    """What a run needs."""

    gpus: Gpus = Field(1, description="0, a whole number, or a fraction when small runs may share one GPU")


class MachineSection(_Section):
    """What may be rented; ignored on this computer."""

    types: Words = Field(TYPES, min_length=1, description="EC2 instance types in order of preference", strict=False)
    spot: bool = Field(False, description="take spot capacity where there is some")
    regions: Words = Field(REGIONS, min_length=1, description="AWS regions in order of preference", strict=False)


class LimitsSection(_Section):
    """What a run, and the batch, may take."""

    run: Duration | None = Field(None, description="the longest that a run may take, as 2h")
    stall: Duration | None = Field(None, description="the longest without a byte of log or an epoch, as 15m")
    retries: int = Field(
        0, ge=0, le=100, description="how often a failed, stalled or timed out run is tried again"
    )
    batch: Duration | None = Field(None, description="the longest that the batch may take, as 9h")
    usd: Usd | None = Field(None, description="the most that the batch may cost, in US dollars")


class JobFile(_Section):
    """One job: what to run, with which parameters, on what, within which limits."""

    run: Word | Argv = Field(
        description="a line for the shell, or a list of words that no shell sees"
    )
    name: str | None = Field(None, pattern=f"^{NAME}$", description="default: the file's name")
    folder: Word = Field(
        ".", description="what is copied and where runs start; default: the file's own folder"
    )
    params: dict[ParameterName, JsonValue] = Field({}, description="the same in every run")
    grid: dict[ParameterName, Annotated[list[JsonValue], Field(min_length=1)]] = Field(
        {}, description="values to vary; every combination is a variant"
    )
    repeats: int = Field(1, ge=1, le=MOST_RUNS, description="runs a variant, with seeds seed, seed + 1, ...")
    folds: int | None = Field(
        None, ge=2, le=MOST_RUNS, description="k runs a repeat; fold and folds are parameters"
    )
    seed: Seed = Field(0, description="of the first repeat; none leaves the script's randomness alone")
    metric: Word | None = Field(None, description="what compare looks at: a logged name, or evaluate.NAME")
    mode: Literal["min", "max"] | None = Field(None, description="which way the metric is better")
    needs: NeedsSection = NeedsSection()
    machine: MachineSection = MachineSection()
    limits: LimitsSection = LimitsSection()
    environment: Word | None = Field(None, description="a requirements file, installed once per content")
    env: dict[VariableName, str] = Field({}, description="environment variables")
    after: Words = Field((), description="jobs that must have succeeded before", strict=False)
    stop_on_nan: bool = Field(False, description="end a run whose loss is no number any more")
