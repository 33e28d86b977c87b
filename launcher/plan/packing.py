"""Say how many runs there are at a time, and why. Pure; the runner's slots are what decides.

Threads are left as packages choose them, however many runs share the processors: with one thread TensorFlow
gave other bits (measured: Dense of 2048, Conv2D), and results may not depend on how many run beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.plan.values import Fleet
    from launcher.spec import JobSpec

_ROUNDING = 1e-9  # ten tenths of a GPU are one GPU


def explain_packing(specs: Sequence[JobSpec], *, fleet: Fleet, slots: int | None, cpu: bool) -> str:
    """Return how many runs run at a time and why, in a line."""
    needs = [] if cpu or fleet.gpus == 0 else sorted({spec.needs.gpus for spec in specs if spec.needs.gpus})
    on_gpus = ", ".join(_per_gpu(each) for each in needs)
    if slots is None:
        return on_gpus or "one at a time, as on the CPU without --slots"
    most = f"{slots} at a time at most, as --slots says"
    return f"{most}, and {on_gpus}" if needs else most


def _per_gpu(needs: float) -> str:
    if needs > 1:
        return f"one to {needs} GPUs"
    if needs == 1:
        return "one to a GPU"
    return f"{int(1 / needs + _ROUNDING)} to a GPU, whose memory each takes as it grows (needs.gpus: {needs})"
