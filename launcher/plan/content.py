"""By what a run is recognised: hashes of all that its result can depend on. Pure.

Code, command, parameters, seed, environment, variables, backend, fast and stop_when count. Limits, needs,
names, times and warm starts do not: a run that succeeded would have under other limits too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from launcher.spec.backend import VARIABLE

if TYPE_CHECKING:
    from launcher.spec import JobSpec, Value

_ID_DIGITS = 8
_CONTENT_DIGITS = 32


class Contents:
    """The hashes of one job's runs; what runs have in common is hashed once."""

    def __init__(self, spec: JobSpec, *, code: str, environment: str) -> None:
        run = spec.run if isinstance(spec.run, str) else list(spec.run)
        backend = {} if spec.backend is None else {VARIABLE: spec.backend}
        self._job = hashlib.sha256(
            _canonical([code, environment, run, {**spec.env, **backend}, *_chosen(spec)])
        )

    def of_params(self, params: dict[str, Value]) -> ParamsContent:
        """Return the hashes of the runs with these parameters."""
        text = _canonical(params)
        shared = self._job.copy()
        shared.update(b"\n" + text)
        return ParamsContent(hashlib.sha256(text).hexdigest()[:_ID_DIGITS], shared)


class ParamsContent:
    """The hashes of the runs with the same parameters; `digits` stand in their ids."""

    __slots__ = ("_shared", "digits")

    def __init__(self, digits: str, shared: hashlib._Hash) -> None:
        self.digits = digits
        self._shared = shared

    def of_run(self, *, seed: int | None, repeat: int) -> str:
        """Return the content of a run. Without a seed each repeat is another sample, and counts as itself."""
        own = self._shared.copy()
        own.update(f"\nseed {seed}".encode() if seed is not None else f"\nrepeat {repeat}".encode())
        return own.hexdigest()[:_CONTENT_DIGITS]


def _chosen(spec: JobSpec) -> list[object]:
    """Return what changes results where it is chosen; otherwise nothing, so that hashes stay as they were."""
    chosen: dict[str, object] = {"fast": True} if spec.fast else {}
    if spec.stop_when is not None:
        chosen["stop_when"] = asdict(spec.stop_when)
    return [chosen] if chosen else []


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
