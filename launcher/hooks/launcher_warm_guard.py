"""Tell whether a fork of this process would be as good as a fresh one; the list is what was seen to hang."""

from __future__ import annotations

import os
import re
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > most:
        return "the imports started threads"
    return _find_initialized()


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
