"""How many threads each of several runs gets that share the processors of a node. Pure."""

from __future__ import annotations

import os

# TensorFlow takes these two; OpenMP's are for NumPy, scikit-learn and PyTorch.
_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def count_processors() -> int:
    """Return how many processors we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # pragma: no cover - Linux has the other


def packing_environment(*, slots: int | None, processors: int) -> dict[str, str]:
    """Return the variables of runs that share the processors: one thread each where they take all of them.

    A run that has room for more than one thread keeps what its packages choose.
    """
    if slots is None or slots <= 1 or slots < processors:
        return {}
    return dict.fromkeys(_VARIABLES, "1")
