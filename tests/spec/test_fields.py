"""Every field: what it takes, and what is said of anything else."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.spec import JobSpec, Limits, Machine, Needs
from launcher.spec.job import StopWhen
from launcher.spec.job_file import JobFile
from tests.spec.kit import RUN, load, refused

if TYPE_CHECKING:
    from pathlib import Path

TYPES = ("p3.2xlarge", "g6.xlarge", "g5.xlarge", "g4dn.xlarge")
COUNT = "is not a whole number from 1 to 100,000"
SEED = "is not a whole number from 0 to 4294867295, or none"
GPUS = "is not a number of GPUs: 0 to 1,000, or a share from 0.01"
NAME = "is not a name of up to 64 letters, digits and . _ -, the first a letter or digit"
COMMAND = "is not a command or a list of words"
CHOICES = "is not a list of one or more different values"
DURATION = "is not a duration of up to ten years, with its units"
USD = "is not an amount of US dollars, from 0.01"
MAP = "is not a mapping of keys and values"
PARAMETER = "Write letters, digits and . _ -, the first a letter or _."
VARIABLE = "Write letters, digits and _, the first no digit; LAUNCHER_ is for launcher."
KEYS = f"Known keys: {', '.join(JobFile.model_fields)}; parameters of the script go below params."


def test_everything_but_run_has_a_default(tmp_path: Path) -> None:
    job = load(tmp_path, RUN)

    assert job == JobSpec(name="job", source=tmp_path / "job.yaml", folder=tmp_path, run="python train.py")
    assert job.needs == Needs(gpus=1)
    assert job.machine == Machine(types=TYPES, spot=False, regions=("us-west-2",))
    assert job.limits == Limits(run_s=None, stall_s=None, retries=0, batch_s=None, usd=None)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("name: a.B-c_9", "name", "a.B-c_9"),
        ('name: "2024"', "name", "2024"),
        (f"name: {'a' * 64}", "name", "a" * 64),
        ("name:", "name", "job"),
        ("params: {}", "params", {}),
        ("params:\n  # all commented out\n", "params", {}),
        (
            "params: {a: 1, b.c: x, _d-e: [1, {f: null}]}",
            "params",
            {"a": 1, "b.c": "x", "_d-e": [1, {"f": None}]},
        ),
        ("grid: {a: [1, 2], b: [none, null, true]}", "grid", {"a": (1, 2), "b": ("none", None, True)}),
        ("grid: {a: [1, 1.0, true, '1']}", "grid", {"a": (1, 1.0, True, "1")}),
        ("repeats: 100000", "repeats", 100_000),
        ("folds: 2", "folds", 2),
        ("folds: null", "folds", None),
        ("seed: 4294867295", "seed", 4_294_867_295),
        ("seed: none", "seed", None),
        ("metric: val_accuracy", "metric", "val_accuracy"),
        ("mode: min", "mode", "min"),
        ("mode: max", "mode", "max"),
        ("needs: {}", "needs", Needs(gpus=1)),
        ("needs: {gpus: 0}", "needs", Needs(gpus=0)),
        ("needs: {gpus: 8}", "needs", Needs(gpus=8)),
        ("needs: {gpus: 0.25}", "needs", Needs(gpus=0.25)),
        ("needs: {gpus: 2.0}", "needs", Needs(gpus=2)),
        ("machine: {types: [a.b, c.d]}", "machine", Machine(types=("a.b", "c.d"))),
        (
            "machine: {types: a.b, regions: eu-west-1}",
            "machine",
            Machine(types=("a.b",), regions=("eu-west-1",)),
        ),
        ("machine: {spot: true}", "machine", Machine(spot=True)),
        ("limits: {run: 1h30m, stall: 90s}", "limits", Limits(run_s=5400.0, stall_s=90.0)),
        ("limits: {batch: 2d, retries: 100}", "limits", Limits(batch_s=172_800.0, retries=100)),
        ("limits: {usd: 12}", "limits", Limits(usd=12.0)),
        ("limits: {usd: 12.345}", "limits", Limits(usd=12.34)),
        ("limits: {usd: $12.50}", "limits", Limits(usd=12.5)),
        ("limits: {run: null, usd: null}", "limits", Limits()),
        ("env: {A: x, _b2: ''}", "env", {"A": "x", "_b2": ""}),
        (
            "env: {A: 1.10, B: 007, C: True, D: 0x1F, E: .inf}",
            "env",
            {"A": "1.10", "B": "007", "C": "True", "D": "0x1F", "E": ".inf"},
        ),
        ("after: []", "after", ()),
        ("stop_on_nan: true", "stop_on_nan", True),
        ("stop_on_nan: FALSE", "stop_on_nan", False),
        ("", "warm", True),
        ("warm: false", "warm", False),
        ("backend: null", "backend", None),
        ("backend: jax", "backend", "jax"),
        ("backend: jax\nenv: {KERAS_BACKEND: jax}", "backend", "jax"),
        ("env: {KERAS_BACKEND: jax}", "backend", None),
        ("fast: true", "fast", True),
        ("stop_when: {metric: val_loss, patience: 10}", "stop_when", StopWhen("val_loss", 10)),
        (
            "stop_when: {metric: auc, patience: 1, min_delta: 1, mode: max}",
            "stop_when",
            StopWhen("auc", 1, 1.0, "max"),
        ),
        ("stop_when:", "stop_when", None),
        ("checkpoint: 5m", "checkpoint_s", 300.0),
        ("checkpoint: null", "checkpoint_s", None),
    ],
)
def test_a_field_takes(tmp_path: Path, text: str, field: str, value: object) -> None:
    assert getattr(load(tmp_path, f"{RUN}{text}\n"), field) == value


@pytest.mark.parametrize("text", ["needs: {gpus: 2.0}", "needs: {gpus: 1}", "needs: {}"])
def test_whole_gpus_are_whole_numbers(tmp_path: Path, text: str) -> None:
    assert isinstance(load(tmp_path, f"{RUN}{text}\n").needs.gpus, int)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("run: python train.py --a='x y' | tee log", "python train.py --a='x y' | tee log"),
        ("run: |\n  echo a\n  echo b\n", "echo a\necho b\n"),
        ("run: [python, train.py, '{params}', '']", ("python", "train.py", "{params}", "")),
        ("run: [sleep, 1.50, 007, true]", ("sleep", "1.50", "007", "true")),
    ],
)
def test_run_is_a_line_or_a_list_of_words_as_written(tmp_path: Path, text: str, run: object) -> None:
    assert load(tmp_path, text).run == run


INVALID = [
    ("name: 12", "name: 12 is not a text.", 'Write name: "12".'),
    ("name: a b", f'name: "a b" {NAME}.', "Write name: my-job."),
    ("name: ''", f'name: "" {NAME}.', "Write name: my-job."),
    ("name: -a", f'name: "-a" {NAME}.', "Write name: my-job."),
    ("name: ../a", f'name: "../a" {NAME}.', "Write name: my-job."),
    ("name: 'a\n\n  '", f'name: "a\\n" {NAME}.', "Write name: my-job."),
    ("name: [a]", f'name: ["a"] {NAME}.', "Write name: my-job."),
    (f"name: {'a' * 65}", f'name: "{"a" * 59}... {NAME}.', "Write name: my-job."),
    ("folder: ''", 'folder: "" is not a folder.', "Write folder: my-experiment."),
    ("folder: 5", "folder: 5 is not a folder.", "Write folder: my-experiment."),
    ("params: 3", f"params: 3 {MAP}.", "Write params: {epochs: 20}."),
    ("params: [1]", f"params: [1] {MAP}.", "Write params: {epochs: 20}."),
    ("params: {a b: 1}", 'params: "a b" can\'t be a name here.', PARAMETER),
    ("params: {-a: 1}", 'params: "-a" can\'t be a name here.', PARAMETER),
    ("grid: 3", f"grid: 3 {MAP}.", "Write grid: {units: [4, 16]}."),
    ("grid: {a b: [1]}", 'grid: "a b" can\'t be a name here.', PARAMETER),
    ("grid: {a: 3}", f"grid.a: 3 {CHOICES}.", "Write a: [3]."),
    ("grid: {a: x}", f'grid.a: "x" {CHOICES}.', 'Write a: ["x"].'),
    ("grid: {a: []}", f"grid.a: [] {CHOICES}.", "Write a: [4, 16]."),
    ("grid: {a: null}", f"grid.a: nothing {CHOICES}.", "Write a: [4, 16]."),
    ("grid: {a: {b: 1}}", f'grid.a: {{"b": 1}} {CHOICES}.', "Write a: [4, 16]."),
    ("grid: {a: [1, 2, 1]}", f"grid.a: [1, 2, 1] {CHOICES}.", "Write a: [4, 16]."),
    ("grid: {a: [{b: 1, c: 2}, {c: 2, b: 1}]}", f'grid.a: [{{"b": 1, "c": 2}}, {{"c": 2, "b": 1}}] {CHOICES}.', "Write a: [4, 16]."),
    ("repeats: 0", f"repeats: 0 {COUNT}.", "Write repeats: 10."),
    ("repeats: -1", f"repeats: -1 {COUNT}.", "Write repeats: 10."),
    ("repeats: 2.0", f"repeats: 2.0 {COUNT}.", "Write repeats: 10."),
    ("repeats: true", f"repeats: true {COUNT}.", "Write repeats: 10."),
    ("repeats: '3'", f'repeats: "3" {COUNT}.', "Write repeats: 10."),
    ("repeats: 1e3", f"repeats: 1000.0 {COUNT}.", "Write repeats: 10."),
    ("repeats: 1_000", f'repeats: "1_000" {COUNT}.', "Write repeats: 10."),
    ("repeats: 1000000", f"repeats: 1000000 {COUNT}.", "Write repeats: 10."),
    ("repeats:", f"repeats: nothing {COUNT}.", "Write repeats: 10."),
    ("folds: 1", "folds: 1 is not a whole number from 2 to 100,000.", "Write folds: 10."),
    ("folds: true", "folds: true is not a whole number from 2 to 100,000.", "Write folds: 10."),
    ("seed: -1", f"seed: -1 {SEED}.", "Write seed: 7."),
    ("seed: 1.5", f"seed: 1.5 {SEED}.", "Write seed: 7."),
    ("seed: true", f"seed: true {SEED}.", "Write seed: 7."),
    ("seed: null", f"seed: nothing {SEED}.", "Write seed: 7."),
    ("seed: '7'", f'seed: "7" {SEED}.', "Write seed: 7."),
    ("seed: 4294867296", f"seed: 4294867296 {SEED}.", "Write seed: 7."),
    ("metric: 3", "metric: 3 is not the name of a metric.", "Write metric: val_loss."),
    ("metric: ' '", 'metric: " " is not the name of a metric.', "Write metric: val_loss."),
    ("mode: best", 'mode: "best" is not min or max.', "Write mode: max."),
    ("mode: true", "mode: true is not min or max.", "Write mode: max."),
    ("needs: 1", f"needs: 1 {MAP}.", "Write needs: {gpus: 1}."),
    ("needs: {gpus: two}", f'needs.gpus: "two" {GPUS}.', "Write gpus: 1."),
    ("needs: {gpus: true}", f"needs.gpus: true {GPUS}.", "Write gpus: 1."),
    ("needs: {gpus: -1}", f"needs.gpus: -1 {GPUS}.", "Write gpus: 1."),
    ("needs: {gpus: 1.5}", f"needs.gpus: 1.5 {GPUS}.", "Write gpus: 1."),
    ("needs: {gpus: 0.001}", f"needs.gpus: 0.001 {GPUS}.", "Write gpus: 1."),
    ("needs: {gpus: 1e300}", f"needs.gpus: 1e+300 {GPUS}.", "Write gpus: 1."),
    ("machine: g5", f'machine: "g5" {MAP}.', "Write machine: {types: [g6.xlarge]}."),
    ("machine: {types: []}", "machine.types: [] is not a list of instance types.", "Write types: [g6.xlarge, g5.xlarge]."),
    ("machine: {types: [5]}", "machine.types: [5] is not a list of instance types.", "Write types: [g6.xlarge, g5.xlarge]."),
    ("machine: {spot: yes}", 'machine.spot: "yes" is not true or false.', "Write spot: true."),
    ("machine: {spot: 1}", "machine.spot: 1 is not true or false.", "Write spot: true."),
    ("machine: {regions: [[]]}", "machine.regions: [[]] is not a list of regions.", "Write regions: [us-west-2]."),
    ("limits: 2h", f'limits: "2h" {MAP}.', "Write limits: {run: 2h}."),
    ("limits: {run: 90}", f"limits.run: 90 {DURATION}.", "Write run: 90s."),
    ("limits: {run: true}", f"limits.run: true {DURATION}.", "Write run: 2h."),
    ("limits: {run: -90}", f"limits.run: -90 {DURATION}.", "Write run: 2h."),
    ("limits: {run: 12:30}", f'limits.run: "12:30" {DURATION}.', "Write run: 2h."),
    ("limits: {stall: soon}", f'limits.stall: "soon" {DURATION}.', "Write stall: 15m."),
    ("limits: {batch: 0s}", f'limits.batch: "0s" {DURATION}.', "Write batch: 9h."),
    ("limits: {retries: 101}", "limits.retries: 101 is not a whole number from 0 to 100.", "Write retries: 1."),
    ("limits: {retries: false}", "limits.retries: false is not a whole number from 0 to 100.", "Write retries: 1."),
    ("limits: {usd: 0}", f"limits.usd: 0 {USD}.", "Write usd: 12."),
    ("limits: {usd: true}", f"limits.usd: true {USD}.", "Write usd: 12."),
    ("limits: {usd: free}", f'limits.usd: "free" {USD}.', "Write usd: 12."),
    ("limits: {usd: 1e300}", f"limits.usd: 1e+300 {USD}.", "Write usd: 12."),
    ("environment: 5", "environment: 5 is not the name of a requirements file.", "Write environment: requirements.txt."),
    ("env: [A]", f'env: ["A"] {MAP}.', 'Write env: {TF_CPP_MIN_LOG_LEVEL: "2"}.'),
    ("env: {A: null}", "env.A: nothing is not a text.", 'Write A: "2".'),
    ("env: {A: [x]}", 'env.A: ["x"] is not a text.', 'Write A: "2".'),
    ("env: {A-B: x}", 'env: "A-B" can\'t be a name here.', VARIABLE),
    ("env: {LAUNCHER_SEED: 1}", 'env: "LAUNCHER_SEED" can\'t be a name here.', VARIABLE),
    ("after: 5", "after: 5 is not a list of jobs.", "Write after: [other-job]."),
    ("after: [[a]]", 'after: [["a"]] is not a list of jobs.', "Write after: [other-job]."),
    ("stop_on_nan: yes", 'stop_on_nan: "yes" is not true or false.', "Write stop_on_nan: true."),
    (
        "stop_when: {metric: loss}",
        "stop_when.patience is missing.",
        "Write patience: 10.",
    ),
    (
        "stop_when: {metric: loss, patience: 0}",
        "stop_when.patience: 0 is not a whole number from 1 to 1,000,000.",
        "Write patience: 10.",
    ),
    (
        "stop_when: {metric: loss, patience: 1, min_delta: -1}",
        "stop_when.min_delta: -1 is not a number from 0.",
        "Write min_delta: 0.001.",
    ),
    (
        "stop_when: {metric: loss, patience: 1, mode: best}",
        'stop_when.mode: "best" is not min or max.',
        "Write mode: max.",
    ),
    ("stop_when: val_loss", 'stop_when: "val_loss" is not a mapping of keys and values.',
     "Write stop_when: {metric: val_loss, patience: 10}."),
    ("stop_when: {patient: 3}", "stop_when.patient: there is no such key.", "Did you mean stop_when.patience?"),
    ("patience: 3", "patience: there is no such key.", "Did you mean stop_when.patience?"),
    ("fast: 1", "fast: 1 is not true or false.", "Write fast: true."),
    ("stop_on_nan: 1", "stop_on_nan: 1 is not true or false.", "Write stop_on_nan: true."),
    ("warm: 1", "warm: 1 is not true or false.", "Write warm: false."),
    ("backend: theano", 'backend: "theano" is not tensorflow, jax or torch.', "Write backend: jax."),
    ("env: {KERAS_BACKEND: jax}\nbackend: torch", "env.KERAS_BACKEND is jax, and backend is torch.", "Remove one of them."),
    ("checkpoint: true", f"checkpoint: true {DURATION}.", "Write checkpoint: 5m."),
    ("checkpoint: 90", f"checkpoint: 90 {DURATION}.", "Write checkpoint: 90s."),
    ("chekpoint: 5m", "chekpoint: there is no such key.", "Did you mean checkpoint?"),
    ("repeat: 3", "repeat: there is no such key.", "Did you mean repeats?"),
    ("Repeats: 3", "Repeats: there is no such key.", "Did you mean repeats?"),
    ("gpus: 1", "gpus: there is no such key.", "Did you mean needs.gpus?"),
    ("zzz: 1", "zzz: there is no such key.", KEYS),
    ('"a\\nb": 1', "a\\nb: there is no such key.", KEYS),
    ("needs: {gpu: 1}", "needs.gpu: there is no such key.", "Did you mean needs.gpus?"),
    ("needs: {zzz: 1}", "needs.zzz: there is no such key.", "Known keys: gpus."),
    ("machine: {type: a}", "machine.type: there is no such key.", "Did you mean machine.types?"),
    ("limits: {walltime: 2h}", "limits.walltime: there is no such key.", "Known keys: run, stall, retries, batch, usd."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "todo"), INVALID, ids=[text for text, _, _ in INVALID])
def test_a_field_refuses(tmp_path: Path, text: str, what: str, todo: str) -> None:
    assert refused(tmp_path, f"{RUN}{text}\n") == (f"job.yaml:2: {what}", todo)


@pytest.mark.parametrize(
    ("text", "what", "todo"),
    [
        ("run:", f"run: nothing {COMMAND}.", "Write run: python train.py."),
        ("run: '  '", f'run: "  " {COMMAND}.', "Write run: python train.py."),
        ("run: 5", f"run: 5 {COMMAND}.", "Write run: python train.py."),
        ("run: []", f"run: [] {COMMAND}.", "Write run: python train.py."),
        ("run: ['']", f'run: [""] {COMMAND}.', "Write run: python train.py."),
        ("run: [python, [a]]", f'run: ["python", ["a"]] {COMMAND}.', "Write run: python train.py."),
        ("run: [python, null]", f'run: ["python", null] {COMMAND}.', "Write run: python train.py."),
        (
            "run: [python, {params}]",
            'run: ["python", {"params": null}] is not a list of words, since { begins a mapping.',
            'Write run: [python, train.py, "{params}"].',
        ),
        ("rum: x", "rum: there is no such key.", "Did you mean run?"),
    ],
)
def test_run_refuses(tmp_path: Path, text: str, what: str, todo: str) -> None:
    assert refused(tmp_path, f"{text}\n") == (f"job.yaml:1: {what}", todo)


def test_a_job_without_run_is_told_what_to_write(tmp_path: Path) -> None:
    assert refused(tmp_path, "seed: 1\n") == ("job.yaml: run is missing.", "Write run: python train.py.")


def test_the_line_is_that_of_the_value_however_deep(tmp_path: Path) -> None:
    what, _ = refused(tmp_path, f"{RUN}\n# comment\nlimits:\n  run: 2h\n  retries:\n    many\n")

    assert what == 'job.yaml:6: limits.retries: "many" is not a whole number from 0 to 100.'


def test_a_misspelt_key_is_told_before_what_seems_missing(tmp_path: Path) -> None:
    what, _ = refused(tmp_path, "repeats: x\nrunn: python train.py\n")

    assert what == "job.yaml:2: runn: there is no such key."


@pytest.mark.parametrize(
    ("text", "what", "todo"),
    [
        (
            "params: {a: 1}\ngrid: {b: [1], a: [1]}",
            "job.yaml:3: grid.a stands in params too, at job.yaml:2.",
            "Remove it from one of them.",
        ),
        (
            "folds: 3\nparams: {fold: 1}",
            "job.yaml:3: params.fold is what folds gives to each run.",
            "Remove fold from params, or remove folds.",
        ),
        (
            "folds: 3\ngrid: {folds: [1]}",
            "job.yaml:3: grid.folds is what folds gives to each run.",
            "Remove folds from grid, or remove folds.",
        ),
    ],
)
def test_a_parameter_is_given_once(tmp_path: Path, text: str, what: str, todo: str) -> None:
    assert refused(tmp_path, f"{RUN}{text}\n") == (what, todo)


def test_fold_is_an_ordinary_parameter_without_folds(tmp_path: Path) -> None:
    assert load(tmp_path, f"{RUN}params: {{fold: 1}}\ngrid: {{folds: [2]}}\n").params == {"fold": 1}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "grid:\n  a: &hundred {}\n  b: *hundred\n  c: *hundred\n",
            "job.yaml:2: grid: job makes 1,000,000 runs",
        ),
        ("repeats: 1000\nfolds: 1000\n", "job.yaml:2: repeats: job makes 1,000,000 runs"),
        ("grid: {{a: [1, 2]}}\nrepeats: 50001\n", "job.yaml:2: grid: job makes 100,002 runs"),
    ],
)
def test_a_job_makes_no_more_than_100_000_runs(tmp_path: Path, text: str, what: str) -> None:
    found, todo = refused(tmp_path, RUN + text.format(list(range(100))))

    assert found == f"{what}; the most is 100,000."
    assert todo == "Vary fewer values, or repeat them less."


def test_a_job_may_make_exactly_100_000_runs(tmp_path: Path) -> None:
    assert load(tmp_path, f"{RUN}grid: {{a: [1, 2]}}\nrepeats: 5000\nfolds: 10\n").repeats == 5000
