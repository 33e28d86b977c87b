"""The job files: each loads, says what its script understands, and can be made small for a demonstration."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from launcher.plan.command import render_command
from launcher.plan.variants import expand_grid
from launcher.spec import load_jobs
from tests.jobs.conftest import JOBS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from launcher.spec import JobSpec, Value

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

    assert len(expand_grid(job)) * job.repeats * (job.folds or 1) == runs


def test_the_same_few_overrides_make_every_job_small() -> None:
    jobs = load_jobs(FILES, overrides=SMALL)

    assert {(job.repeats, job.folds, job.params["epochs"]) for job in jobs} == {(2, 2, 10)}


@pytest.mark.parametrize(
    ("file", "script"), [("pima-history", "pima"), ("sonar-dropout", "sonar"), ("multi-output", "regression")]
)
def test_the_script_understands_the_command_of_every_variant(
    file: str, script: str, request: pytest.FixtureRequest
) -> None:
    (job,) = load_jobs([JOBS / f"{file}.yaml"])
    module: ModuleType = request.getfixturevalue(script)

    for variant in expand_grid(job):
        taken = vars(module.read_parameters(_arguments(job, {**job.params, **variant}, fold=3)))

        assert taken == {**job.params, **variant, "fold": 3, "folds": 10, "seed": 7}


def test_the_final_model_gets_no_fold_also_in_a_small_batch(regression: ModuleType) -> None:
    job, _ = load_jobs([JOBS / "multi-output-final.yaml", JOBS / "multi-output.yaml"], overrides=SMALL)

    taken = regression.read_parameters(_arguments(job, job.params, fold=1))

    assert (taken.fold, taken.epochs, taken.seed) == (None, 10, 7)


def _arguments(job: JobSpec, params: Mapping[str, Value], *, fold: int) -> list[str]:
    """Return what the run's command hands to the script."""
    *_, command = render_command(job.run, params=params, seed=7, fold=fold, folds=job.folds)
    python, script, *arguments = shlex.split(command)
    assert (python, script) == ("python", "train.py")
    return arguments
