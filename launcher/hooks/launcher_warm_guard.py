"""Tell whether a fork of this process would be as good as a fresh one; the list is what was seen to hang."""

from __future__ import annotations

import os
import re
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The thread of jemalloc, which comes with pyarrow, which comes with pandas, which Keras imports where it is
# there. It holds its locks over a fork, and does without the thread in the new process.
_BEARS_FORKS = "jemalloc_bg_thd\n"
_OPENBLAS = re.compile(r"\S*/[^/\s]*openblas[^/\s]*$", re.MULTILINE | re.IGNORECASE)


def find_obstacle(*, threads: int | None) -> str | None:
    """Return why this process may not fork; None where it may.

    Args:
        threads: how many there may be; None is the main one and the pools of OpenBLAS, which mends them after
            a fork itself.
    """
    with open("/proc/self/maps") as file:
        mapped = file.read()
    if "/libcuda.so" in mapped:
        return "the imports opened the GPU's driver"
    most = _count_expected(mapped) if threads is None else threads
    if threading.active_count() > 1 or count_threads() > most:
        return "the imports started threads"
    return _find_initialized()


def count_threads() -> int:
    """Return how many threads this process has that a fork would lose."""
    names = (f"/proc/self/task/{thread}/comm" for thread in os.listdir("/proc/self/task"))
    return sum(_read(name) != _BEARS_FORKS for name in names)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:  # a thread that has just ended
        return _BEARS_FORKS


def _count_expected(mapped: str) -> int:
    pools = len(set(_OPENBLAS.findall(mapped)))
    return 1 + pools * ((os.cpu_count() or 1) - 1)


def _find_initialized() -> str | None:
    context: Any = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    if getattr(context, "_context_handle", None) is not None:
        return "the imports initialised TensorFlow"
    if getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None):
        return "the imports initialised JAX"
    return None
