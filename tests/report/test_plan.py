"""The page of a plan: everything that would happen, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from launcher.report.plan import plan_text, size
from tests.batch_factory import BatchFolder, Job

if TYPE_CHECKING:
    from pathlib import Path

NAME = "20261121-0213-brisk-otter"


def make(folder: Path, jobs: list[Job], **plan: Any) -> dict[str, Any]:
    return BatchFolder(folder / NAME, jobs, **plan).plan


def test_the_page_of_a_plan(tmp_path: Path) -> None:
    job = Job(
        variants=[{"epochs": 300, "placement": "none"}, {"epochs": 300, "placement": "hidden"}],
        repeats=3,
        folds=2,
        extra={
            "limits": {"run_s": 7200.0, "stall_s": 900.0, "retries": 2},
            "metric": "val_accuracy",
            "mode": "max",
            "after": ["first"],
            "stop_on_nan": True,
            "checkpoint_s": 300.0,
            "environment": {"file": "requirements.txt", "sha256": "ab"},
            "code": {
                "sha256": "abcdef0123456789",
                "files": 7,
                "bytes": 88_123,
                "left_out": [
                    ["data/raw", ".gitignore"],
                    ["a", "always"],
                    *[[f"b{n}", "always"] for n in range(5)],
                ],
            },
        },
    )
    plan = make(tmp_path, [job], slots=2, limits={"batch_s": 32_400.0, "usd": 12.0}, notes=["mind the seed"])

    assert plan_text(plan, warnings=["mind the seed", "no GPU here"]) == (
        f"{NAME}: 12 runs of 1 job on local, 2 at a time\n"
        "the batch ends after 9h\n"
        "\n"
        "sonar\n"
        "  runs    12 = 2 variants x 3 repeats x 2 folds\n"
        "  seeds   7 to 9, the same for every variant\n"
        "  params  epochs=300\n"
        "  varied  placement=[none, hidden]\n"
        "  first   python train.py --variant=0   (sonar-0000-00000000)\n"
        "  needs   1 GPU\n"
        "  limits  2h a run, 15m without a sign of life, 2 retries, ends when the loss is not finite, a\n"
        "          checkpoint every 5m\n"
        "  metric  val_accuracy (max)\n"
        "  after   first\n"
        "  code    7 files, 88.1 kB, sha256 abcdef012345, with requirements.txt\n"
        "          without data/raw (.gitignore)\n"
        "          without a, b0, b1 and 3 more (always)\n"
        "\n"
        "in this order\n"
        "  sonar-0000-00000000  placement=none fold=0 seed=7\n"
        "  sonar-0001-00000000  placement=none fold=1 seed=7\n"
        "  sonar-0002-00000001  placement=hidden fold=0 seed=7\n"
        "  sonar-0003-00000001  placement=hidden fold=1 seed=7\n"
        "  sonar-0004-00000000  placement=none fold=0 seed=8\n"
        "  sonar-0005-00000000  placement=none fold=1 seed=8\n"
        "  sonar-0006-00000001  placement=hidden fold=0 seed=8\n"
        "  sonar-0007-00000001  placement=hidden fold=1 seed=8\n"
        "  … and 4 more runs\n"
        "\n"
        "note: mind the seed\n"
        "note: no GPU here\n"
    )


def test_what_a_batch_may_cost_is_said_where_something_costs(tmp_path: Path) -> None:
    plan = {**make(tmp_path, [Job()], limits={"batch_s": None, "usd": 12.0}), "on": "ec2"}

    assert "it costs $12.00 at most" in plan_text(plan)


def test_a_plan_has_no_id_before_it_is_submitted(tmp_path: Path) -> None:
    plan = make(tmp_path, [Job()])
    del plan["id"]

    assert plan_text(plan).startswith("1 run of 1 job on local, 1 at a time\n")


def test_runs_that_had_succeeded_are_listed_with_their_batch(tmp_path: Path) -> None:
    skipped = [{"id": f"sonar-{n:04d}-0", "content": "c", "batch": "old", "run": f"r{n}"} for n in range(10)]
    plan = make(tmp_path, [Job(repeats=11)], skipped=skipped)
    plan["runs"] = plan["runs"][10:]

    text = plan_text(plan)

    assert "1 run (10 more had succeeded before) of 1 job" in text
    assert "1 = 1 variant x 11 repeats, less those that had succeeded" in text
    assert "  sonar-0000-0  in old\n" in text
    assert "… and 2 more runs" in text


def test_a_plan_of_which_everything_had_succeeded_runs_nothing(tmp_path: Path) -> None:
    plan = make(tmp_path, [Job()])
    plan["runs"] = []

    text = plan_text(plan)

    assert text.startswith(f"{NAME}: 0 runs")
    assert "first" not in text
    assert "in this order" not in text


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([None, None], "none is set: the script's own randomness"),
        ([3, 3], "seeds   3\n"),
        ([3, 9], "seeds   3, 9\n"),
        ([3, 4], "seeds   3 to 4\n"),
    ],
)
def test_seeds_are_shown_as_they_are(tmp_path: Path, seeds: list[int | None], expected: str) -> None:
    plan = make(tmp_path, [Job(repeats=2)])
    for run, seed in zip(plan["runs"], seeds, strict=True):
        run["seed"] = seed

    assert expected in plan_text(plan)


@pytest.mark.parametrize(
    ("gpus", "expected"), [(1, "1 GPU\n"), (2, "2 GPUs\n"), (0.25, "0.25 of a GPU\n"), (0, None)]
)
def test_needs_are_said_in_gpus(tmp_path: Path, gpus: float, expected: str | None) -> None:
    text = plan_text(make(tmp_path, [Job(extra={"needs": {"gpus": gpus}, "code": None})]))

    assert ("needs" in text) == (expected is not None)
    assert expected is None or expected in text


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/bin/sh", "-c", "python train.py | tee out"], "python train.py | tee out   ("),
        (["python", "a b.py", "--x=a'; echo b"], "python 'a b.py' '--x=a'\"'\"'; echo b'   ("),
        (["python", "\x1b[2J"], "python ''   ("),
    ],
)
def test_the_first_command_is_shown_as_a_shell_has_it(tmp_path: Path, argv: list[str], expected: str) -> None:
    plan = make(tmp_path, [Job()])
    plan["runs"][0]["argv"] = argv

    assert f"first   {expected}" in plan_text(plan)


def test_a_long_command_is_wrapped_not_cut(tmp_path: Path) -> None:
    plan = make(tmp_path, [Job()])
    plan["runs"][0]["argv"] = ["python", *(f"--option-{number}" for number in range(40))]

    text = plan_text(plan, columns=80)

    assert all(f"--option-{number}" in text for number in range(40))
    assert all(len(line) <= 80 for line in text.splitlines())


def test_many_jobs_and_variants_stay_a_page(tmp_path: Path) -> None:
    variants: list[dict[str, Any]] = [{"lr": number} for number in range(1000)]
    plan = make(tmp_path, [Job(name=f"job-{index}", variants=variants) for index in range(20)])

    text = plan_text(plan)

    assert len(text.splitlines()) < 130
    assert "… and 12 more jobs" in text
    assert "20,000 runs of 20 jobs" in text


def test_values_that_only_look_equal_are_told_apart(tmp_path: Path) -> None:
    text = plan_text(make(tmp_path, [Job(variants=[{"x": 1}, {"x": True}, {"x": 1.0}, {}])]))

    assert "varied  x=[1, true, 1.0]" in text


def test_one_retry_is_one(tmp_path: Path) -> None:
    limits = {"run_s": None, "stall_s": None, "retries": 1}

    assert "limits  1 retry\n" in plan_text(make(tmp_path, [Job(extra={"limits": limits})]))


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (12_345, "12.3 kB"),
        (5 * 10**9, "5 GB"),
        (10**16, "1e+04 TB"),
    ],
)
def test_sizes_are_short(size_bytes: int, expected: str) -> None:
    assert size(size_bytes) == expected


def test_when_fits_end_early_is_a_limit(tmp_path: Path) -> None:
    extra = {"stop_when": {"metric": "val_loss", "patience": 10, "min_delta": 0.0, "mode": None}}

    text = plan_text(make(tmp_path, [Job(extra=extra)]))

    assert "limits  a fit ends after 10 epochs without a better val_loss\n" in text
