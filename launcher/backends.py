"""Ask the interpreters of jobs whether the backends are there that the jobs name, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.errors import NodeError, UsageError
from launcher.runner.environment import environment_folder

if TYPE_CHECKING:
    from launcher.nodes.node import Node
    from launcher.plan.values import Plan, PlannedJob

_TIMEOUT_S = 120.0
# By what they are found, not imported, which would take seconds.
_PROBE = (
    "import sys; sys.path[:] = filter(None, sys.path); from importlib.util import find_spec; "
    "print(*[name for name in sys.argv[1:] if find_spec(name) is None])"
)


def check_backends(plan: Plan, node: Node) -> None:
    """Check that each job that names a backend has it.

    Raises:
        UsageError: a package is not installed where the job would look for it.
        NodeError: an interpreter does not run.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for job in plan.jobs:
        if job.backend is None:
            continue
        key = (_interpreter_of(job, node), job.backend)
        if key not in found:
            found[key] = _find_missing(*key, node)
        if found[key]:
            raise _missing(job, key[0], " and ".join(found[key]))


def _interpreter_of(job: PlannedJob, node: Node) -> str:
    if job.environment is None:
        return node.python
    return f"{environment_folder(str(node.home), job.environment['sha256'])}/bin/python"


def _find_missing(python: str, backend: str, node: Node) -> list[str]:
    done = node.run([python, "-c", _PROBE, "keras", backend], timeout_s=_TIMEOUT_S)
    if done.exit_code:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NodeError(
            f"{python} does not run: {said[-1] if said else 'no output'}.", "Mend it, then try again."
        )
    return done.stdout.decode().split()


def _missing(job: PlannedJob, python: str, packages: str) -> UsageError:
    where = f"the environment of {job.environment['file']}" if job.environment else python
    return UsageError(
        f"{job.name}: backend is {job.backend}, but {where} has no {packages}.",
        f"Add {packages} to the job's requirements, or install it there.",
    )
