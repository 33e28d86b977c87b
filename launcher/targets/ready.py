"""Look a rented machine over before its first run: will it end by itself, and do jobs see its GPU?

Only asks; whoever asked ends a machine that fails. A night on the CPU of a GPU machine is paid for like one
on its GPU, and TensorFlow says no more of it than a line in the log.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from launcher.errors import NodeError
from launcher.runner.environment import environment_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from launcher.nodes.node import Completed, Node

ARMED = "/var/lib/launcher/armed"
_ARMED_WITHIN_S = 90.0
_LOOK_AGAIN_S = 0.2
_ASK_S = 60.0
_IMPORT_S = 300.0  # a new machine's disk fetches from a snapshot what is read for the first time
_LAST_CHARACTERS = 300

# Runs in the job's interpreter, as the job's user. Prints how many GPUs its backend sees.
_COUNT_GPUS = """
import importlib.util, sys
known = ("tensorflow", "jax", "torch")
backend = sys.argv[1] or next((name for name in known if importlib.util.find_spec(name)), "")
if backend == "tensorflow":
    import tensorflow
    count = len(tensorflow.config.list_physical_devices("GPU"))
elif backend == "jax":
    import jax
    count = sum(device.platform == "gpu" for device in jax.devices())
elif backend == "torch":
    import torch
    count = torch.cuda.device_count()
else:
    count = -1
print(backend or "none", count)
"""


class Admin(Protocol):
    """The account of a machine that may do everything there."""

    def run_as_admin(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Run a program to its end."""


def check_armed(admin: Admin, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    """Wait until the machine's own end is armed.

    Raises:
        NodeError: it is not, so that nothing but us would end the machine.
    """
    until = clock() + _ARMED_WITHIN_S
    while admin.run_as_admin(["test", "-s", ARMED], timeout_s=_ASK_S).exit_code:
        if clock() > until:
            raise NodeError(
                f"The machine did not arm its own end within {_ARMED_WITHIN_S:.0f} s.",
                "Its image may lack systemd or cloud-init: launcher doctor tells which image is used.",
            )
        sleep(_LOOK_AGAIN_S)


def check_gpus(node: Node, plan: Mapping[str, Any]) -> None:
    """Check that each job that needs GPUs sees them, by `nvidia-smi` and by its own backend.

    Args:
        node: where the environments of all jobs are installed already.
        plan: as in plan.json.

    Raises:
        NodeError: a job would run on the CPU.
    """
    jobs = [] if plan["cpu"] else [job for job in plan["jobs"] if job["needs"]["gpus"]]
    if not jobs:
        return
    _check_driver(node, needed=math.ceil(max(job["needs"]["gpus"] for job in jobs)))
    for python, backend, needed in dict.fromkeys(_questions(node, jobs)):
        _check_backend(node, python, backend=backend, needed=needed)


def _questions(node: Node, jobs: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str, int]]:
    for job in jobs:
        environment = job["environment"]
        folder = environment and environment_folder(str(node.home), environment["sha256"])
        python = f"{folder}/bin/python" if folder else node.python
        yield python, job.get("backend") or "", math.ceil(job["needs"]["gpus"])


def _check_driver(node: Node, *, needed: int) -> None:
    try:
        done = node.run(["nvidia-smi", "-L"], timeout_s=_ASK_S)
    except NodeError as error:
        raise _no_gpu(f"nvidia-smi does not answer ({error.what})") from error
    seen = sum(line.startswith(b"GPU ") for line in done.stdout.splitlines())
    if done.exit_code or seen < needed:
        raise _no_gpu(_last_words(done) if done.exit_code else f"nvidia-smi shows {seen} GPUs of {needed}")


def _check_backend(node: Node, python: str, *, backend: str, needed: int) -> None:
    done = node.run([python, "-c", _COUNT_GPUS, backend], timeout_s=_IMPORT_S)
    if done.exit_code:
        raise _no_gpu(f"{backend or 'the backend'} could not be asked: {_last_words(done)}")
    name, _, count = done.stdout.decode(errors="replace").strip().rpartition("\n")[2].partition(" ")
    if name != "none" and int(count) < needed:
        why = f"{name} sees {count} GPUs of {needed} and would use the CPU"
        raise _no_gpu(f"{why}: {_last_words(done)}" if done.stderr else why)


def _last_words(done: Completed) -> str:
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1][-_LAST_CHARACTERS:] if lines else f"exit code {done.exit_code}, no output"


def _no_gpu(why: str) -> NodeError:
    return NodeError(
        f"The machine's GPU can't be used: {why}.",
        "Take another type, image or environment; or say --cpu to run without a GPU.",
    )
