"""What a user should know before a batch begins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.plan.values import Fleet
    from launcher.spec import JobSpec

_SEED_NOTE = (
    "Seeds are set as keras.utils.set_random_seed does: on the TensorFlow backend every epoch then uses "
    "the same order of rows. `seed: none` leaves the script's randomness alone."
)
# With these flags Python ignores PYTHONPATH or its start-up files, by which the hooks come in.
_ISOLATED = re.compile(r"python[0-9.]*\s+(?:-\w+\s+)*-\w*[IES]")


def warn(specs: Sequence[JobSpec], *, fleet: Fleet, cpu: bool) -> tuple[str, ...]:
    """Return one line for each thing that is not as the jobs may expect."""
    return (*_warn_gpus(specs, fleet, cpu), *_warn_history(specs))


def seed_note(spec: JobSpec) -> str | None:
    """Return the side effect of seeding, for jobs that are seeded."""
    return None if spec.seed is None else _SEED_NOTE


def _warn_gpus(specs: Sequence[JobSpec], fleet: Fleet, cpu: bool) -> Iterator[str]:  # noqa: FBT001
    asking = [spec.name for spec in specs if spec.needs.gpus]
    if asking and not fleet.gpus and not cpu:
        verb = "needs" if len(asking) == 1 else "need"
        yield f"{', '.join(asking)} {verb} a GPU and there is none here: running on the CPU."


def _warn_history(specs: Sequence[JobSpec]) -> Iterator[str]:
    for spec in specs:
        text = spec.run if isinstance(spec.run, str) else " ".join(spec.run)
        if _ISOLATED.search(text):
            yield f"{spec.name} starts Python with -I, -E or -S: there will be no history and no seed."
