"""`--set key=value` overrides any field, as in helm, and its mistakes are told at the flag."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.spec import Limits, Machine, load_jobs
from tests.spec.kit import RUN, load, refused, write
from tests.spec.test_fields import KEYS

if TYPE_CHECKING:
    from pathlib import Path

FULL = f"""{RUN}params: {{epochs: 300, batch_size: 16}}
grid: {{units: [4, 16], rate: [1, 2]}}
repeats: 30
folds: 10
seed: 7
metric: loss
limits: {{run: 2h, retries: 1}}
machine: {{spot: true}}
env: {{A: x, B: y}}
"""
EMPTY = f"{RUN}params:\ngrid:\nlimits:\nenv:\nmachine:\n"


@pytest.mark.parametrize(
    ("overrides", "field", "value"),
    [
        (["params.epochs=5"], "params", {"epochs": 5, "batch_size": 16}),
        (["params.new=1e-3"], "params", {"epochs": 300, "batch_size": 16, "new": 0.001}),
        (["params.a.b=1"], "params", {"epochs": 300, "batch_size": 16, "a.b": 1}),
        (["params.epochs=1", "params.epochs=2"], "params", {"epochs": 2, "batch_size": 16}),
        (["params={a: 1}"], "params", {"a": 1}),
        (["params={a: 1}", "params.b=2"], "params", {"a": 1, "b": 2}),
        (["params.epochs=null"], "params", {"batch_size": 16}),
        (["params.epochs="], "params", {"batch_size": 16}),
        (["params.other=null"], "params", {"epochs": 300, "batch_size": 16}),
        (["params=null"], "params", {}),
        (["params.epochs=[1, {a: b}]"], "params", {"epochs": [1, {"a": "b"}], "batch_size": 16}),
        (["grid.units=[8]"], "grid", {"units": (8,), "rate": (1, 2)}),
        (["grid.units=null", "params.units=4"], "grid", {"rate": (1, 2)}),
        (["grid={}"], "grid", {}),
        (["repeats=3"], "repeats", 3),
        (["repeats=null"], "repeats", 1),
        (["folds=null"], "folds", None),
        (["seed=none"], "seed", None),
        (["seed=null"], "seed", 0),
        (["metric=null"], "metric", None),
        (["limits.run=10m"], "limits", Limits(run_s=600.0, retries=1)),
        (["limits.run=null", "limits.usd=12.50"], "limits", Limits(retries=1, usd=12.5)),
        (["limits=null"], "limits", Limits()),
        (["machine.types=[a.b]"], "machine", Machine(types=("a.b",), spot=True)),
        (["env.A=1.10"], "env", {"A": "1.10", "B": "y"}),
        (["env.A=k=v"], "env", {"A": "k=v", "B": "y"}),
        (["env.A=''"], "env", {"A": "", "B": "y"}),
        (["env.A='a: b # c'"], "env", {"A": "a: b # c", "B": "y"}),
        (["env={A: 1.10}"], "env", {"A": "1.10"}),
        (["run=python other.py --a=b"], "run", "python other.py --a=b"),
        (["run=[python, other.py, 1.0]"], "run", ("python", "other.py", "1.0")),
        ([" stop_on_nan = true "], "stop_on_nan", True),
        (["name=other"], "name", "other"),
    ],
)
def test_an_override_replaces_adds_or_removes(
    tmp_path: Path, overrides: list[str], field: str, value: object
) -> None:
    assert getattr(load(tmp_path, FULL, *overrides), field) == value


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("params.epochs=5", "params", {"epochs": 5}),
        ("grid.units=[4]", "grid", {"units": (4,)}),
        ("limits.run=2h", "limits", Limits(run_s=7200.0)),
        ("limits.run=null", "limits", Limits()),
        ("machine.spot=true", "machine", Machine(spot=True)),
        ("env.A=x", "env", {"A": "x"}),
    ],
)
@pytest.mark.parametrize("text", [RUN, EMPTY], ids=["absent", "empty"])
def test_an_override_makes_the_section_that_it_needs(
    tmp_path: Path, text: str, override: str, field: str, value: object
) -> None:
    assert getattr(load(tmp_path, text, override), field) == value


def test_overrides_hold_for_every_job(tmp_path: Path) -> None:
    files = [write(tmp_path, RUN, "a.yaml"), write(tmp_path, f"{RUN}repeats: 9\n", "b.yaml")]

    assert [job.repeats for job in load_jobs(files, overrides=["repeats=2"])] == [2, 2]


def test_the_grid_keeps_its_order(tmp_path: Path) -> None:
    assert list(load(tmp_path, FULL, "grid.units=[1]").grid) == ["units", "rate"]


FORM = "Write, for example, --set params.epochs=5."


@pytest.mark.parametrize(
    ("override", "what", "todo"),
    [
        ("epochs", "this is not key=value.", FORM),
        ("=3", "this is not key=value.", FORM),
        ("limits..run=3", "this is not key=value.", FORM),
        ("params.=3", "this is not key=value.", FORM),
        ("epochs=3", "epochs: there is no such key.", KEYS),
        ("limts.run=3s", "limts: there is no such key.", "Did you mean limits?"),
        ("limits.rum=3s", "limits.rum: there is no such key.", "Did you mean limits.run?"),
        ("limits.rum=null", "limits.rum: there is no such key.", "Did you mean limits.run?"),
        ("retries=2", "retries: there is no such key.", "Did you mean limits.retries?"),
        ("repeats.x=3", "repeats.x: there is no such key.", "repeats has no keys."),
        ("limits.run.x=3", "limits.run.x: there is no such key.", "limits.run has no keys."),
        ("checkpoint=5", "checkpoint: 5 is not a duration of up to ten years, with its units.", "Write --set checkpoint=5s."),
        ("repeats=0", "repeats: 0 is not a whole number from 1 to 100,000.", "Write --set repeats=10."),
        ("needs.gpus=two", 'needs.gpus: "two" is not a number of GPUs: 0 to 1,000, or a share from 0.01.', "Write --set needs.gpus=1."),
        ("limits.run=90", "limits.run: 90 is not a duration of up to ten years, with its units.", "Write --set limits.run=90s."),
        ("limits=2h", 'limits: "2h" is not a mapping of keys and values.', "Write --set 'limits={run: 2h}'."),
        ("grid.a=3", "grid.a: 3 is not a list of one or more different values.", "Write --set 'grid.a=[3]'."),
        ("env.A=[1]", "env.A: [1] is not a text.", "Write --set 'env.A=\"2\"'."),
        ("params.a b=1", 'params: "a b" can\'t be a name here.', "Write letters, digits and . _ -, the first a letter or _."),
        ("params.a=.inf", "params.a: .inf is not a finite number.", 'Write it in quotes: ".inf".'),
        ("params.a=!!python/name:os.x y", "params.a: the tag !!python/name:os.x is not read here.", "Remove it; write plain values."),
        ("params.a=[1", "a bracket is not closed, or a comma is missing.", "Write [1, 2] or {a: 1, b: 2}."),
        ("run=a: b: c", "no colon is expected here: it is the second in its line, or the line is indented too far.", 'Put a text that holds ": " in quotes, and begin keys of one level in one column.'),
        ("params.units=4", None, "Remove it from one of them."),
        ("run=null", "run is missing.", "Write --set 'run=python train.py'."),
        ("folder=nowhere", 'folder: "nowhere" can\'t be read: No such file or directory.', "Name a folder, relative to the job file."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_the_flag(tmp_path: Path, override: str, what: str | None, todo: str) -> None:
    expected = f"--set {override}: {what}"
    if what is None:
        expected = "job.yaml:3: grid.units stands in params too, at --set params.units=4."

    assert refused(tmp_path, FULL, override) == (expected, todo)


@pytest.mark.parametrize(
    ("override", "shown"),
    [
        ("name=\udcff", "--set name=\\udcff"),
        ("name=a\0b", "--set name=a\\u0000b"),
        ("name=a\n---\nb", "--set name=a\\n---\\nb"),
        (f"name={'a' * 100}!", f"--set name={'a' * 55}..."),
    ],
)
def test_what_cannot_be_shown_is_escaped_or_cut(tmp_path: Path, override: str, shown: str) -> None:
    what, _ = refused(tmp_path, RUN, override)

    assert what.startswith(f"{shown}: ")


def test_a_section_that_is_none_must_be_mended_first(tmp_path: Path) -> None:
    assert refused(tmp_path, f"{RUN}params: [1]\n", "params.epochs=5") == (
        "--set params.epochs=5: params is [1], not keys with values.",
        "Mend params first.",
    )


def test_a_mistake_elsewhere_is_still_told_in_the_file(tmp_path: Path) -> None:
    what, _ = refused(tmp_path, f"{RUN}limits: {{run: 2h, stall: x}}\n", "limits.run=1h")

    assert what.startswith("job.yaml:2: limits.stall: ")
