"""Slots: how many runs at a time, and which GPU each may see."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUERY = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
_WHOLE = 1.0
_ROUNDING = 1e-9  # ten tenths of a GPU are one GPU


class Place(NamedTuple):
    """Where a run runs: GPUs by index and the share of each; none for a run on the CPU."""

    gpus: tuple[str, ...]
    share: float


def find_gpus(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the indexes of the GPUs that `nvidia-smi` shows and CUDA_VISIBLE_DEVICES allows."""
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    shown = tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
    allowed = environ.get("CUDA_VISIBLE_DEVICES", ",".join(shown)).replace(" ", "").split(",")
    return tuple(gpu for gpu in shown if gpu in allowed)


class Slots:
    """Hand out places; a run that needs a GPU where there is none takes a place on the CPU.

    Args:
        gpus: the indexes of the GPUs.
        limit: the most runs at a time; by default what the GPUs hold, and one on the CPU.
    """

    def __init__(self, gpus: tuple[str, ...], *, limit: int | None) -> None:
        self._free = dict.fromkeys(gpus, _WHOLE)
        self._gpus = gpus
        self._limit = limit
        self._taken = 0
        self._taken_cpu = 0

    def can_ever_take(self, needs: float) -> bool:
        """Tell whether a run with these needs fits when everything is free."""
        return not self._gpus or needs <= len(self._gpus)

    def take(self, needs: float) -> Place | None:
        """Take a place for a run that needs so many GPUs, None where nothing is free."""
        if self._limit is not None and self._taken >= self._limit:
            return None
        place = self._on_gpus(needs) if needs and self._gpus else self._on_cpu()
        if place is not None:
            self._taken += 1
        return place

    def give_back(self, place: Place) -> None:
        """Free a place."""
        self._taken -= 1
        self._taken_cpu -= not place.gpus
        for gpu in place.gpus:
            self._free[gpu] += place.share

    def _on_cpu(self) -> Place | None:
        if self._limit is None and self._taken_cpu:
            return None
        self._taken_cpu += 1
        return Place((), 0.0)

    def _on_gpus(self, needs: float) -> Place | None:
        count, share = (int(needs), _WHOLE) if needs >= 1 else (1, needs)
        fitting = [gpu for gpu, free in self._free.items() if free + _ROUNDING >= share]
        # The fullest first, so that whole GPUs stay whole.
        chosen = tuple(sorted(fitting, key=lambda gpu: self._free[gpu])[:count])
        if len(chosen) < count:
            return None
        for gpu in chosen:
            self._free[gpu] -= share
        return Place(chosen, share)


def place_environment(place: Place, *, gpus: tuple[str, ...], hide: bool) -> dict[str, str]:
    """Return the variables by which a run sees only its own place.

    Args:
        gpus: all GPUs of this node.
        hide: show no GPU to any run.
    """
    if hide or (gpus and not place.gpus):
        return {"CUDA_VISIBLE_DEVICES": "-1"}
    if not place.gpus:
        return {}
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(sorted(place.gpus, key=gpus.index))}
    # TensorFlow and JAX take the whole memory of a GPU unless they are told to grow.
    sharing = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return visible if place.share >= _WHOLE else visible | sharing


def python_path(interpreter: str, *, wrappers: str) -> str:
    """Return the folder that must stand first in PATH for `python` and `python3` to mean `interpreter`."""
    folder = os.path.dirname(interpreter)
    if all(_is_same(os.path.join(folder, name), interpreter) for name in ("python", "python3")):
        return folder
    os.makedirs(wrappers, exist_ok=True)
    for name in ("python", "python3"):
        _write_wrapper(os.path.join(wrappers, name), interpreter)
    return wrappers


def _is_same(path: str, interpreter: str) -> bool:
    try:
        return os.path.samefile(path, interpreter)
    except OSError:
        return False


def _write_wrapper(path: str, interpreter: str) -> None:
    # A link would do, were it not for virtual environments: they are found by the unresolved path.
    quoted = "'" + interpreter.replace("'", "'\\''") + "'"
    with open(path + ".new", "w") as file:
        file.write(f'#!/bin/sh\nexec {quoted} "$@"\n')
    os.chmod(path + ".new", 0o755)  # noqa: S103 - a program is there to be run
    os.replace(path + ".new", path)
