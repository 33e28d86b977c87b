"""The job files: each loads, says what its script understands, and can be made small for a demonstration."""

from __future__ import annotations

import re
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
EXPERIMENTS = {  # by job: its script, and how many runs it has at full size
    "mnist-dense": ("mnist", 2 * 5),
    "imdb-reviews": ("imdb", 2 * 5),
    "reuters-topics": ("reuters", 2 * 2 * 5),
    "boston-kfold": ("boston", 2 * 5 * 4),
    "fashion-dense": ("fashion", 2 * 5),
    "multi-output": ("regression", 3 * 10),
    "mammography": ("mammography", 2 * 5 * 10),
    "pima-history": ("pima", 3 * 3 * 10),
    "sonar-dropout": ("sonar", 3 * 30 * 10),
    "batch-size": ("batch_size", 4 * 10),
    "skill-estimate": ("sonar", 30 * 10),
    "regularisation": ("regularisation", 6 * 10 * 5),
}
FINALS = {  # the final model of an experiment in folds, by job: its script
    "boston-final": "boston",
    "mammography-final": "mammography",
    "multi-output-final": "regression",
}
SMALL = ("repeats=3", "folds=2", "params.epochs=20")
DEMO = ("multi-output", "pima-history", "sonar-dropout")


def test_twelve_experiments_and_the_final_models_of_three_can_be_one_batch() -> None:
    names = {job.name for job in load_jobs(FILES)}

    assert len(EXPERIMENTS) == 12
    assert names == {*EXPERIMENTS, *FINALS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_job_is_as_large_as_published(name: str) -> None:
    (job,) = load_jobs([JOBS / f"{name}.yaml"])

    assert len(expand_grid(job)) * job.repeats * (job.folds or 1) == EXPERIMENTS[name][1]


def test_the_same_few_overrides_make_every_job_of_the_demo_small() -> None:
    jobs = load_jobs([JOBS / f"{name}.yaml" for name in DEMO], overrides=SMALL)

    assert {(job.repeats, job.folds, job.params["epochs"]) for job in jobs} == {(3, 2, 20)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_script_understands_the_command_of_every_variant(
    name: str, request: pytest.FixtureRequest
) -> None:
    (job,) = load_jobs([JOBS / f"{name}.yaml"])
    module: ModuleType = request.getfixturevalue(EXPERIMENTS[name][0])
    fold = {} if job.folds is None else {"fold": 3, "folds": job.folds}

    for variant in expand_grid(job):
        wanted = {**job.params, **variant, **fold, "seed": 7}
        taken = vars(
            module.read_parameters(_arguments(job, {**job.params, **variant}, fold=fold.get("fold")))
        )

        assert {key: value for key, value in taken.items() if key in wanted} == wanted


@pytest.mark.parametrize("name", FINALS)
def test_a_final_model_gets_no_fold_also_in_a_small_batch(name: str, request: pytest.FixtureRequest) -> None:
    first = name.removesuffix("-final")
    experiment = next(each for each in EXPERIMENTS if each.startswith(first))
    jobs = load_jobs([JOBS / f"{each}.yaml" for each in (name, experiment)], overrides=["folds=2"])
    module: ModuleType = request.getfixturevalue(FINALS[name])
    alone = module.read_parameters([])

    taken = module.read_parameters(_arguments(jobs[0], jobs[0].params, fold=1))

    assert jobs[0].after == (experiment,)
    assert {**vars(taken), "seed": 0} == {**vars(alone), "seed": 0}


def test_no_script_knows_launcher() -> None:
    for script in JOBS.glob("*/*.py"):
        assert not re.search(r"^\s*(import|from) launcher", script.read_text(encoding="utf-8"), re.MULTILINE)


def _arguments(job: JobSpec, params: Mapping[str, Value], *, fold: int | None) -> list[str]:
    """Return what the run's command hands to the script."""
    *_, command = render_command(job.run, params=params, seed=7, fold=fold, folds=job.folds)
    python, script, *arguments = shlex.split(command)
    assert (python, (job.folder / script).is_file()) == ("python", True)
    return arguments
