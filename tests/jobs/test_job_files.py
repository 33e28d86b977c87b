"""The job files: each loads, says what its script understands, and can be made small for a demonstration."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from launcher.spec import load_jobs
from tests.jobs.conftest import JOBS

if TYPE_CHECKING:
    from types import ModuleType

    from launcher.spec import JobSpec

pytestmark = pytest.mark.keras

FILES = sorted(JOBS.glob("*.yaml"))
SMALL = ("repeats=2", "folds=2", "params.epochs=10")


def test_all_jobs_can_be_one_batch() -> None:
    names = [job.name for job in load_jobs(FILES)]

    assert names == ["multi-output-final", "multi-output", "pima-history", "sonar-dropout"]


@pytest.mark.parametrize(
    ("name", "runs"), [("pima-history", 3 * 3 * 10), ("sonar-dropout", 3 * 30 * 10), ("multi-output", 3 * 10)]
)
def test_each_job_is_as_large_as_published(name: str, runs: int) -> None:
    (job,) = load_jobs([JOBS / f"{name}.yaml"])

    variants = len(list(itertools.product(*job.grid.values())))

    assert variants * job.repeats * (job.folds or 1) == runs


def test_the_same_few_overrides_make_every_job_small() -> None:
    jobs = load_jobs(FILES, overrides=SMALL)

    assert {(job.repeats, job.folds, job.params["epochs"]) for job in jobs} == {(2, 2, 10)}


@pytest.mark.parametrize(
    ("file", "script"), [("pima-history", "pima"), ("sonar-dropout", "sonar"), ("multi-output", "regression")]
)
def test_the_script_takes_every_parameter_that_its_job_file_gives(
    file: str, script: str, request: pytest.FixtureRequest
) -> None:
    (job,) = load_jobs([JOBS / f"{file}.yaml"])
    module: ModuleType = request.getfixturevalue(script)

    for arguments in _all_arguments(job):
        taken = vars(module.read_parameters(arguments))
        assert [f"--{name}={taken[name]}" for name in _names(arguments)] == arguments


def test_the_final_model_gets_no_fold_also_in_a_small_batch() -> None:
    job, _ = load_jobs([JOBS / "multi-output-final.yaml", JOBS / "multi-output.yaml"], overrides=SMALL)

    assert isinstance(job.run, str)
    assert "{epochs}" in job.run  # it names a parameter, so nothing is appended to it
    assert "fold" not in job.run


def _all_arguments(job: JobSpec) -> list[list[str]]:
    variants = [dict(zip(job.grid, values, strict=True)) for values in itertools.product(*job.grid.values())]
    parameters = [{**job.params, **variant, "fold": 0, "folds": job.folds, "seed": 7} for variant in variants]
    return [[f"--{name}={value}" for name, value in each.items()] for each in parameters]


def _names(arguments: list[str]) -> list[str]:
    return [argument.removeprefix("--").partition("=")[0] for argument in arguments]
