"""What a plan decides: runs and their order, ids, seeds, contents, what is skipped, what is warned of."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import UsageError
from launcher.plan import FinishedRun, Fleet, Offer, PlannedRun, SkippedRun, render_json
from launcher.plan.notes import FAST_ORDER, SEED_TRAP
from launcher.snapshot import Entry, Tree
from launcher.spec.job import Limits, Needs, StopWhen
from tests.plan.factory import CODE, job, plan

GRID = {"placement": ("none", "hidden"), "rate": (0.2, 0.5)}


def test_variants_are_the_product_of_the_grid_the_last_key_fastest() -> None:
    made = plan(job(params={"epochs": 3}, grid=GRID))

    assert made.jobs[0].variants == (
        {"epochs": 3, "placement": "none", "rate": 0.2},
        {"epochs": 3, "placement": "none", "rate": 0.5},
        {"epochs": 3, "placement": "hidden", "rate": 0.2},
        {"epochs": 3, "placement": "hidden", "rate": 0.5},
    )


def test_a_repeat_is_finished_before_the_next_begins() -> None:
    made = plan(job(grid={"a": (1, 2)}, repeats=2, folds=2))

    assert [(run.repeat, run.variant, run.fold) for run in made.runs] == [
        *((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
        *((1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)),
    ]


def test_the_seed_is_paired_across_variants_and_folds() -> None:
    made = plan(job(grid={"a": (1, 2)}, repeats=3, folds=2, seed=7))

    assert all(run.seed == 7 + run.repeat for run in made.runs)
    assert {run.seed for run in plan(job(repeats=3, seed=None)).runs} == {None}


def test_fold_and_folds_are_parameters_of_a_run() -> None:
    made = plan(job(params={"a": 1}, folds=3))

    assert [made.params_of(run) for run in made.runs] == [
        {"a": 1, "fold": fold, "folds": 3} for fold in range(3)
    ]
    assert made.runs[2].argv == ("/bin/sh", "-c", "python train.py --a=1 --fold=2 --folds=3")
    assert made.jobs[0].variants == ({"a": 1},)


def test_ids_number_the_runs_of_a_job_and_name_their_parameters() -> None:
    made = plan(job("a", grid={"x": (1, 2)}, repeats=2), job("b", params={"x": 1}))

    ids = [run.id for run in made.runs]
    digits = [name.rsplit("-", 1)[1] for name in ids]
    assert [name.rsplit("-", 1)[0] for name in ids] == ["a-0000", "a-0001", "a-0002", "a-0003", "b-0000"]
    assert digits == [digits[0], digits[1], digits[0], digits[1], digits[0]]
    assert digits[0] == hashlib.sha256(b'{"x":1}').hexdigest()[:8]


def test_an_id_does_not_depend_on_the_order_of_parameters() -> None:
    one, other = plan(job(params={"a": 1, "b": 2})), plan(job(params={"b": 2, "a": 1}))

    assert one.runs[0].id == other.runs[0].id


def test_a_command_may_name_its_seed_and_fold() -> None:
    made = plan(job(run=("t", "{seed}", "{fold}"), repeats=2, folds=2))

    assert [run.argv[1:3] for run in made.runs] == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, "abcd"),
        ({"a": ("c",)}, "bcad"),
        ({"a": ("b",), "b": ("d",)}, "cdba"),
        ({"d": ("a", "b")}, "abcd"),
    ],
    ids=str,
)
def test_jobs_keep_their_order_but_none_stands_before_one_it_waits_for(
    after: dict[str, tuple[str, ...]], expected: str
) -> None:
    made = plan(*(job(name, after=after.get(name, ())) for name in "abcd"))

    assert "".join(planned.name for planned in made.jobs) == expected
    assert [run.job for run in made.runs] == [0, 1, 2, 3]


def test_the_limits_of_a_batch_are_the_smallest_given() -> None:
    made = plan(job("a", limits=Limits(batch_s=60, usd=12)), job("b", limits=Limits(batch_s=30)), job("c"))

    assert (made.batch_s, made.usd) == (30, 12)
    assert (plan(job()).batch_s, plan(job()).usd) == (None, None)


def content(*, tree: Tree = CODE, environment: str = "e", **fields: Any) -> list[str]:
    made = plan(job(**fields), trees={"sonar": tree}, environments={"sonar": environment})
    return [run.content for run in made.runs]


@pytest.mark.parametrize(
    "change",
    [
        {"run": "python other.py"},
        {"run": ("python", "train.py")},
        {"params": {"a": 1}},
        {"seed": 1},
        {"seed": None},
        {"env": {"A": "1"}},
        {"environment": "other"},
        {"folds": 2},
        {"fast": True},
        {"stop_when": StopWhen("val_loss", 3)},
        {"tree": Tree((Entry("train.py", "file", 0o644, 9, "cd" * 32),))},
    ],
    ids=str,
)
def test_the_content_changes_with_all_that_a_result_depends_on(change: dict[str, Any]) -> None:
    assert content(**change)[0] != content()[0]


@pytest.mark.parametrize(
    "change",
    [
        {"limits": Limits(run_s=5, retries=2)},
        {"needs": Needs(gpus=0)},
        {"metric": "val_loss"},
        {"repeats": 4},
        {"grid": {}},
        {"stop_on_nan": True},
        {"checkpoint_s": 300.0},
    ],
    ids=str,
)
def test_the_content_does_not_change_with_anything_else(change: dict[str, Any]) -> None:
    assert content(**change)[0] == content()[0]


def test_the_content_of_a_job_with_no_environment_is_of_the_interpreter() -> None:
    one, other = (plan(job(), fleet=Fleet(interpreter_hash=name)).runs[0].content for name in "ab")

    assert one != other


def test_repeats_without_a_seed_are_different_contents() -> None:
    assert len(set(content(seed=None, repeats=3))) == 3
    assert len(content()[0]) == 32


def finish(run: PlannedRun, *, batch: str = "20261121-0213-brisk-otter", name: str = "old") -> FinishedRun:
    return FinishedRun(run.content, batch, name)


def test_runs_that_already_succeeded_are_counted_and_skipped_only_when_asked() -> None:
    spec = job(grid={"a": (1, 2, 3)})
    whole = plan(spec)
    finished = {finish(whole.runs[1]), FinishedRun("0" * 32, "x", "y")}

    offered, needed = plan(spec, finished=finished), plan(spec, finished=finished, needed=True)

    assert (offered.runs, offered.skipped, offered.finished) == (whole.runs, (), 1)
    assert needed.runs == (whole.runs[0], whole.runs[2])
    assert needed.skipped == (
        SkippedRun(whole.runs[1].id, whole.runs[1].content, "20261121-0213-brisk-otter", "old"),
    )


def test_what_is_finished_is_no_part_of_what_is_frozen_unless_it_is_skipped() -> None:
    whole = plan(job())

    assert render_json(plan(job(), finished=[finish(whole.runs[0])])) == render_json(whole)


def test_of_several_finished_runs_the_newest_is_named_whatever_their_order() -> None:
    run = plan(job()).runs[0]
    finished = [finish(run, batch=f"2026112{day}", name=name) for day in (1, 3, 2) for name in "ba"]

    both = [plan(job(), finished=given, needed=True).skipped for given in (finished, finished[::-1])]

    assert both[0] == both[1]
    assert (both[0][0].batch, both[0][0].run) == ("20261123", "b")


def test_everything_may_be_finished() -> None:
    run = plan(job()).runs[0]

    assert plan(job(), finished=[finish(run)], needed=True).runs == ()


LARGE = Tree((Entry("x.npy", "file", 0o644, 1_234_567_890, "ab" * 32),))
MANY = Tree(tuple(Entry(f"{at}", "file", 0o644, 1, "ab" * 32) for at in range(50_001)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fleet": Fleet(gpus=0)}, "sonar: no GPU here, so it runs on the CPU"),
        (
            {"trees": {"sonar": LARGE}},
            "sonar: its folder is large (1 files, 1.2GB), and each run has its own copy",
        ),
        ({"trees": {"sonar": MANY}}, "sonar: its folder is large (50,001 files, 50kB), and each run"),
    ],
    ids=["no GPU", "bytes", "files"],
)
def test_what_the_user_should_know_is_one_line(given: dict[str, Any], expected: str) -> None:
    (line,) = plan(job(seed=None), **given).warnings

    assert line.startswith(expected)


@pytest.mark.parametrize(
    "given", [{"fleet": Fleet(gpus=1)}, {"fleet": Fleet(gpus=None)}, {"fleet": Fleet(gpus=0), "cpu": True}]
)
def test_where_nothing_is_odd_nothing_is_warned_of(given: dict[str, Any]) -> None:
    assert plan(job(seed=None), **given).warnings == ()


def test_a_job_that_needs_no_gpu_is_not_warned_of() -> None:
    assert plan(job(seed=None, needs=Needs(gpus=0)), fleet=Fleet(gpus=0)).warnings == ()


@pytest.mark.parametrize(
    ("gpus", "on", "what"),
    [
        (0, "ssh:box", "sonar.yaml: a GPU is needed, and ssh:box has none."),
        (2, "local", "needs.gpus is 3, and there are 2."),
    ],
)
def test_too_few_gpus_are_refused_where_the_cpu_is_no_answer(gpus: int, on: str, what: str) -> None:
    with pytest.raises(UsageError, match=r"gpus|GPU") as caught:
        plan(job(needs=Needs(gpus=3)), fleet=Fleet(gpus=gpus), on=on)

    assert what in caught.value.what
    assert "--cpu" in caught.value.todo


def test_what_a_seed_does_beside_is_said_once_and_noted_in_each_job() -> None:
    made = plan(job("a"), job("b"), job("c", seed=None), job("d", fast=True), job("e", seed=None, fast=True))

    assert made.warnings == (f"a, b: {SEED_TRAP}", f"d: {FAST_ORDER}")
    assert [planned.note for planned in made.jobs] == [SEED_TRAP, SEED_TRAP, None, FAST_ORDER, None]


def test_the_fast_way_is_advised_where_epochs_were_short_and_stands_outside_what_is_frozen() -> None:
    jobs = job("a"), job("b"), job("c", fast=True), job("d", backend="jax"), job("e")
    took = {"a": 0.03, "b": 0.1, "c": 0.03, "d": 0.03}

    made = plan(*jobs, epoch_s=took)

    assert [line.partition(" last")[0] for line in made.advice] == ["a: its epochs took 30 ms"]
    assert made.frozen() == plan(*jobs).frozen()


@pytest.mark.parametrize(
    ("run", "flag"),
    [
        ("python -I train.py", "-I"),
        ("cd x && /usr/bin/python3.12 -u -ES train.py", "-ES"),
        (("python3", "-B", "-S", "train.py"), "-S"),
        ("cat <<'E'\ndon't\nE\npython -E train.py", "-E"),
        ("python train.py -I", None),
        ("python -c 'x' -I", None),
        ("python -u", None),
        ("ls -I; pythonic -I", None),
    ],
    ids=str,
)
def test_a_python_that_takes_nothing_from_outside_is_warned_of(
    run: str | tuple[str, ...], flag: str | None
) -> None:
    warnings = plan(job(run=run, seed=None)).warnings

    assert [line.split()[2] for line in warnings] == ([flag] if flag else [])


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"run": "t {x}"}, "sonar.yaml: run names {x}"),
        ({"params": {"x": "a\0"}}, "sonar.yaml: A command line would hold a zero byte"),
    ],
    ids=["run", "value"],
)
def test_a_wrong_command_is_named_by_its_job_file(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(job(**fields))

    assert what in caught.value.what


HOSTILE = ["a'; echo b", "line\nbreak", "-rf", "n" * 200, "\N{OTTER}", "\udcff", '"\\']


def test_a_rendered_plan_says_what_the_plan_says() -> None:
    offers = (Offer("g5.xlarge", "us-west-2a", "us-west-2", "spot", 0.4, "api", "cheapest"),)
    spec = job(
        params={"text": "a b"},
        grid={"hostile": tuple(HOSTILE), "deep": ([], {"a": [None, {"b": 1}]})},
        folds=2,
        environment=Path("/jobs/requirements.txt"),
        env={"A": "\N{OTTER}"},
    )
    whole = plan(spec, environments={"sonar": "ef" * 32})
    made = plan(
        spec,
        job("other", run=("true",), seed=None),
        environments={"sonar": "ef" * 32},
        finished=[finish(whole.runs[3])],
        needed=True,
        slots=2,
        fleet=Fleet(gpus=0, offers=offers),
    )

    text = render_json(made, head={"id": "20261121-0213-brisk-otter"})

    loaded = json.loads(text)
    assert text.isascii()
    assert list(loaded)[:2] == ["id", "schema"]
    assert loaded == {"id": "20261121-0213-brisk-otter", **made.frozen()}
    assert loaded["jobs"][0]["environment"] == {"file": "requirements.txt", "sha256": "ef" * 32}
    assert loaded["jobs"][0]["code"] == {
        "sha256": CODE.sha256,
        "files": 1,
        "bytes": 9,
        "left_out": [["x.log", ".gitignore: *.log"]],
    }
    assert loaded["jobs"][0]["variants"][6]["hostile"] == HOSTILE[3]
    assert len([line for line in text.splitlines() if '"argv"' in line]) == len(made.runs) == 28
    assert "price" not in text
    assert made.offers == offers


def test_a_plan_with_no_runs_renders() -> None:
    run = plan(job()).runs[0]
    made = plan(job(), finished=[finish(run)], needed=True)

    assert json.loads(render_json(made)) == made.frozen()


def test_equal_input_gives_equal_bytes() -> None:
    texts = {
        render_json(plan(job(grid=GRID, repeats=3, folds=2), job("b", after=("sonar",)))) for _ in range(3)
    }

    assert len(texts) == 1


def test_the_cost_of_a_plan_is_linear_in_its_runs() -> None:
    def cost_s(repeats: int) -> float:
        spec = job(params={"epochs": 3}, grid={"a": tuple(range(10))}, folds=10, repeats=repeats)
        began = time.process_time()
        render_json(plan(spec))
        return time.process_time() - began

    cost_s(1)
    small, large = (min(cost_s(repeats) for _ in range(3)) for repeats in (10, 100))

    assert large < 25 * small


def test_what_is_asked_of_a_machine_is_frozen_for_a_machine_that_follows() -> None:
    made = plan(job(limits=Limits(batch_s=60.0)), on="ec2", fleet=Fleet())

    frozen = json.loads(render_json(made))
    assert frozen == made.frozen()
    assert frozen["machine"] == {
        "types": ["p3.2xlarge", "g6.xlarge", "g5.xlarge", "g4dn.xlarge"],
        "regions": ["us-west-2"],
        "spot": False,
        "gpus": 1,
        "batch_s": 60.0,
        "usd": None,
    }


def test_a_job_without_an_environment_takes_the_one_that_all_get() -> None:
    made = plan(job(), environments={"sonar": "c0ffee"})

    assert made.jobs[0].environment == {"file": "launcher's own stack", "sha256": "c0ffee"}
