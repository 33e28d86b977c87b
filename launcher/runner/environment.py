"""The environment variables of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.slots import Place, place_environment, python_path

if TYPE_CHECKING:
    from launcher.runner.batch import Batch

_HOOKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "hooks")
KEY_LENGTH = 16
_ORDERED = {"PYTHONHASHSEED": "0"}  # the order of sets would be another chance in each run


class Environments:
    """What each run starts with: inherited, then the job's own, then what must hold.

    Args:
        gpus: all GPUs of this node that runs may see.
        python: the interpreter of jobs that name no environment.
    """

    def __init__(self, batch: Batch, *, gpus: tuple[str, ...], python: str) -> None:
        self._batch, self._gpus, self._python = batch, gpus, python
        self._home = os.path.dirname(os.path.dirname(batch.folder))
        self._common: dict[tuple[int, Place], dict[str, str]] = {}

    def of(self, run: int, place: Place) -> dict[str, str]:
        """Return the variables of a run at a place."""
        return {**self.common(self._batch.runs[run]["job"], place), **self.own(run)}

    def common(self, job: int, place: Place) -> dict[str, str]:
        """Return the variables that all runs of a job have at a place."""
        key = (job, place)
        if key not in self._common:
            self._common[key] = self._make_common(self._batch.jobs[job], place)
        return self._common[key]

    def own(self, run: int, folder: str | None = None) -> dict[str, str]:
        """Return the variables that no other run has.

        Args:
            folder: the run's, where it is not the usual one.
        """
        planned, folder = self._batch.runs[run], folder or self._batch.run_path(run)
        own = {
            names.ENV_OUTPUT: f"{folder}/{names.OUTPUTS}",
            names.ENV_PARAMS: f"{folder}/{names.PARAMS}",
            names.ENV_RUN: planned["id"],
        }
        seed = {} if planned["seed"] is None else {names.ENV_SEED: str(planned["seed"])}
        return {**own, **seed}

    def _make_common(self, job: dict[str, Any], place: Place) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("LAUNCHER_")}
        environment = {"PYTHONUNBUFFERED": "1", **inherited, **_ORDERED, **job["env"]}
        if job.get("backend"):
            environment["KERAS_BACKEND"] = job["backend"]
        hide = self._batch.plan["cpu"] or not job["needs"]["gpus"]
        environment |= place_environment(place, gpus=self._gpus, hide=hide)
        environment["PATH"] = _join(self._python_folder(job), environment.get("PATH", os.defpath))
        environment["PYTHONPATH"] = _join(_HOOKS, environment.get("PYTHONPATH", ""))
        return environment

    def _python_folder(self, job: dict[str, Any]) -> str:
        python = self._python
        if job["environment"]:
            python = f"{environment_folder(self._home, job['environment']['sha256'])}/bin/python"
        return python_path(python, wrappers=os.path.join(self._home, names.RUNNERS, "python"))


def marker_of(folder: str) -> bytes:
    """Return the entry of the environment that all processes of a run inherit, by the run's folder."""
    return os.fsencode(f"{names.ENV_OUTPUT}={folder}/{names.OUTPUTS}")


def environment_folder(home: str, sha256: str) -> str:
    """Return where an installed environment lies, by the hash of its requirements."""
    return os.path.join(home, names.ENVIRONMENTS, sha256[:KEY_LENGTH])


def _join(first: str, rest: str) -> str:
    return f"{first}{os.pathsep}{rest}" if rest else first
