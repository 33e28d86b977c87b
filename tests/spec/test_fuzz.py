"""Whatever stands in a file or behind --set: a job or one clear error, never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.spec import load_jobs
from launcher.spec.job_file import JobFile
from tests.spec.kit import RUN, write

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.sampled_from(
    [*JobFile.model_fields, "gpus", "types", "spot", "regions", "retries", "stall", "batch", "usd"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["2h", "none", "$3", "."]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=3)
    ),
)
MARKS = st.text(alphabet=" \n\t:-[]{}&*!|>'\"#%@`,?~arun0.1eE<=\\_x", max_size=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a'; echo b")


def read(path: Path, *overrides: str) -> None:
    """Read a job file, and check what comes of it."""
    try:
        (job,) = load_jobs([path], overrides=overrides)
    except UsageError as error:
        said = f"{error.what}{error.todo}"
    else:
        said = type(job).__name__

    assert said.isprintable()


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_no_bytes_are_a_bug(folder: Path, content: bytes) -> None:
    read(write(folder, content))
    read(write(folder, RUN.encode() + content))


@given(MARKS)
@settings(max_examples=1000)
def test_no_yaml_is_a_bug(folder: Path, text: str) -> None:
    read(write(folder, text))
    read(write(folder, f"{RUN}params:\n {text}"))


@given(st.dictionaries(KEYS, VALUES, max_size=5))
@settings(max_examples=500)
def test_no_value_of_any_field_is_a_bug(folder: Path, values: dict[str, object]) -> None:
    read(write(folder, yaml.safe_dump({"run": "true", **values}, allow_unicode=True)))


@given(
    st.lists(
        st.tuples(KEYS | st.text(max_size=5), KEYS | st.just(""), MARKS | st.text(max_size=9)), max_size=3
    )
)
@settings(max_examples=500)
def test_no_override_is_a_bug(folder: Path, overrides: list[tuple[str, str, str]]) -> None:
    path = write(folder, f"{RUN}limits: {{run: 2h}}\nparams: {{run: 1}}\n")

    read(path, *(f"{key}{'.' if below else ''}{below}={value}" for key, below, value in overrides))
