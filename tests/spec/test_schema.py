"""The schema that editors read: it takes what launcher takes, refuses unknown keys, and explains itself."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher.spec.core_yaml import compose
from launcher.spec.document import read_value
from launcher.spec.schema import job_schema

PROJECT = Path(__file__).parents[2]
EXAMPLES = [*sorted((PROJECT / "jobs").glob("*.yaml")), PROJECT / "launcher" / "templates" / "example.yaml"]
FULL = """
name: sonar-dropout
folder: sonar
run: python train.py
params: {epochs: 300, batch_size: 16}
grid:
  placement: [none, visible, hidden]
repeats: 30
folds: 10
seed: 7
metric: val_accuracy
mode: max
needs: {gpus: 1}
machine:
  types: [p3.2xlarge, g6.xlarge, g5.xlarge, g4dn.xlarge]
  spot: false
  regions: [us-west-2]
limits: {run: 2h, stall: 15m, retries: 1, batch: 9h, usd: 12}
environment: requirements.txt
env: {TF_CPP_MIN_LOG_LEVEL: "2"}
after: [other-job]
stop_on_nan: false
warm: false
backend: jax
stop_when: {metric: val_loss, patience: 10, min_delta: 0.01, mode: min}
fast: true
checkpoint: 5m
"""
REQUIRED = {"run", "metric", "patience"}  # the latter two of stop_when
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
}


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Check a value as draft 2020-12 says, for the words that our schema uses.

    Raises:
        KeyError: it uses another.
    """
    return all(RULES[word](limit, value, schema, root) for word, limit in schema.items())


def is_kind(kind: str | list[str], value: Any) -> bool:
    if isinstance(kind, list):
        return any(is_kind(each, value) for each in kind)
    if kind == "integer":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def find(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def is_known(key: str, schema: dict[str, Any]) -> bool:
    patterns = schema.get("patternProperties", {})
    return key in schema.get("properties", {}) or any(re.search(pattern, key) for pattern in patterns)


RULES: dict[str, Any] = {
    **dict.fromkeys(("$schema", "$defs", "title", "description", "default", "examples"), lambda *_: True),
    "$ref": lambda limit, value, _, root: accepts(find(limit, root), value, root),
    "type": lambda limit, value, *_: is_kind(limit, value),
    "anyOf": lambda limit, value, _, root: any(accepts(each, value, root) for each in limit),
    "const": lambda limit, value, *_: value == limit,
    "enum": lambda limit, value, *_: value in limit,
    "pattern": lambda limit, value, *_: not isinstance(value, str) or re.search(limit, value) is not None,
    "minimum": lambda limit, value, *_: not is_kind("number", value) or value >= limit,
    "maximum": lambda limit, value, *_: not is_kind("number", value) or value <= limit,
    "exclusiveMaximum": lambda limit, value, *_: not is_kind("number", value) or value < limit,
    "minItems": lambda limit, value, *_: not isinstance(value, list) or len(value) >= limit,
    "uniqueItems": lambda _, value, *__: not isinstance(value, list) or len(set(map(json.dumps, value))) == len(value),
    "items": lambda limit, value, _, root: not isinstance(value, list) or all(accepts(limit, each, root) for each in value),
    "required": lambda limit, value, *_: not isinstance(value, dict) or set(limit) <= set(value),
    "properties": lambda limit, value, _, root: not isinstance(value, dict)
    or all(accepts(limit[key], each, root) for key, each in value.items() if key in limit),
    "patternProperties": lambda limit, value, _, root: not isinstance(value, dict)
    or all(accepts(rule, each, root) for pattern, rule in limit.items() for key, each in value.items() if re.search(pattern, key)),
    "additionalProperties": lambda _, value, schema, __: not isinstance(value, dict) or all(is_known(key, schema) for key in value),
}  # fmt: skip


def is_valid(text: str) -> bool:
    schema = job_schema()
    return accepts(schema, read_value(text, path=("",), place=""), schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_takes_every_example(path: Path) -> None:
    assert is_valid(path.read_text(encoding="utf-8"))


def test_it_takes_every_field() -> None:
    assert list(yaml.safe_load(FULL)) == list(job_schema()["properties"])
    assert is_valid(FULL)


@pytest.mark.parametrize(
    "text",
    [
        "run: [python, train.py, 1.5]",
        "{run: x, seed: none}",
        "{run: x, needs: {gpus: 0.5}}",
        "{run: x, machine: {types: g6.xlarge}}",
        "{run: x, limits: {usd: $12.50, run: null, stall: 1h30m}}",
        "{run: x, env: {A: 1, B: true}}",
        "{run: x, after: other, params: {a.b: [1, {c: null}]}}",
    ],
)
def test_it_takes_what_launcher_takes(text: str) -> None:
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{run: x, warm: 1}",
        "{run: x, backend: theano}",
        "{run: x, repeat: 3}",
        "{run: x, needs: {gpu: 1}}",
        "{run: x, needs: {gpus: 1.5}}",
        "{run: x, machine: {type: a}}",
        "{run: x, machine: {types: []}}",
        "{run: x, limits: {walltime: 2h}}",
        "{run: x, limits: {run: 7200}}",
        "{run: x, limits: {run: ''}}",
        "{run: x, limits: {run: 2 hours}}",
        "{run: x, limits: {usd: 0}}",
        "{run: x, limits: {retries: -1}}",
        "{run: x, params: {a b: 1}}",
        "{run: x, grid: {a: 1}}",
        "{run: x, grid: {a: []}}",
        "{run: x, grid: {a: [1, 1]}}",
        "{run: x, repeats: 0}",
        "{run: x, seed: null}",
        "{run: x, seed: -1}",
        "{run: x, mode: best}",
        "{run: x, env: {A: [1]}}",
        "{run: x, stop_on_nan: yes}",
        "{run: ' '}",
        "{run: []}",
        "{run: x, name: a/b}",
    ],
)
def test_it_refuses_what_launcher_refuses(text: str) -> None:
    assert not is_valid(text)


def test_it_says_its_draft_and_is_json() -> None:
    schema = job_schema()

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


def fields() -> list[tuple[str, dict[str, Any]]]:
    schema = job_schema()
    sections = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    return [(name, field) for section in sections for name, field in section["properties"].items()]


@pytest.mark.parametrize(("name", "field"), fields(), ids=[name for name, _ in fields()])
def test_every_field_says_what_it_is_and_its_default(name: str, field: dict[str, Any]) -> None:
    if "$ref" in field:
        field = find(field["$ref"], job_schema())

    assert field["description"]
    assert "default" in field or name in REQUIRED or field["type"] == "object"
    assert isinstance(field.get("title", ""), str)


def test_defaults_are_written_as_in_a_job_file() -> None:
    schema = job_schema()
    defaults = {name: field["default"] for name, field in schema["properties"].items() if "default" in field}

    assert is_valid(json.dumps({"run": "x", **defaults}))
    assert schema["$defs"]["NeedsSection"]["properties"]["gpus"]["default"] == 1
    assert {type(default) for default in defaults.values()} <= {str, int, bool, list, dict, type(None)}


def test_a_document_without_values_is_none() -> None:
    assert compose("", str) is None
