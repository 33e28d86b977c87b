"""What a plan warns of, a line each. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.spec.quantities import format_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.plan.values import Fleet
    from launcher.snapshot import Tree
    from launcher.spec import JobSpec

SEED_TRAP = (
    "the seed is set as keras.utils.set_random_seed would: on the TensorFlow backend every epoch of fit on "
    "arrays then visits the samples in the same order (seed: none avoids it)"
)
FAST_ORDER = (
    "fit on arrays goes the fast way: on the TensorFlow backend it visits shuffled samples in another order "
    "each epoch, drawn from the seed"
)
SHORT_EPOCH_S = 0.1  # of that, Keras' own overhead is most
LARGE_BYTES = 1_000_000_000
LARGE_FILES = 50_000
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
_PLAIN_FLAGS = re.compile(r"-[bBdiIEOPqsSuvx]+")
_CUT_OFF = set("IES")


def seed_note(spec: JobSpec) -> str | None:
    """Return what the seed does beside setting a seed; a run's record has it too."""
    return None if spec.seed is None else FAST_ORDER if spec.fast else SEED_TRAP


def warn_of_gpus(specs: Sequence[JobSpec], *, fleet: Fleet, on: str, cpu: bool) -> tuple[str, ...]:
    """Say which jobs run on the CPU although they need a GPU.

    Raises:
        UsageError: only this computer does that unasked; and no job may need more GPUs than there are.
    """
    wanting = [spec for spec in specs if fleet.gpus is not None and spec.needs.gpus > fleet.gpus]
    if cpu or not wanting:
        return ()
    most = max(wanting, key=lambda spec: spec.needs.gpus)
    place = most.place_of("needs.gpus")
    if fleet.gpus:
        raise UsageError(
            f"{place}: needs.gpus is {most.needs.gpus}, and there are {fleet.gpus}.",
            "Need fewer, or say --cpu.",
        )
    if on != "local":
        raise UsageError(f"{place}: a GPU is needed, and {on} has none.", "Say --cpu to run without.")
    return (f"{_join([spec.name for spec in wanting])}: no GPU here, so it runs on the CPU",)


def warn_of_seeds(specs: Sequence[JobSpec]) -> tuple[str, ...]:
    """Say once what a seed does beside setting a seed."""
    names: dict[str, list[str]] = {}
    for spec in specs:
        if (note := seed_note(spec)) is not None:
            names.setdefault(note, []).append(spec.name)
    return tuple(f"{_join(jobs)}: {note}" for note, jobs in names.items())


def advise_fast(specs: Sequence[JobSpec], *, epoch_s: Mapping[str, float]) -> tuple[str, ...]:
    """Say where the fast way would pay: earlier runs of the very same job had short epochs."""
    short = {name: took for name, took in epoch_s.items() if took < SHORT_EPOCH_S}
    return tuple(
        f"{spec.name}: its epochs took {short[spec.name] * 1000:.0f} ms last time, most of that Keras' own "
        "overhead; fast: true in the job would likely shorten them"
        for spec in specs
        if spec.name in short and not spec.fast and spec.backend in {None, "tensorflow"}
    )


def warn_of_python_flags(specs: Sequence[JobSpec]) -> tuple[str, ...]:
    """Say which jobs will have no history, because their interpreter is told to take nothing from outside."""
    found = ((spec.name, _cutting_flag(spec.run)) for spec in specs)
    return tuple(
        f"{name}: python {flag} looks at nothing from outside, so there will be no history and no seed"
        for name, flag in found
        if flag
    )


def warn_of_size(spec: JobSpec, *, tree: Tree) -> tuple[str, ...]:
    """Say that a snapshot is large: where blocks cannot be shared every run copies it."""
    if tree.bytes <= LARGE_BYTES and tree.files <= LARGE_FILES:
        return ()
    size = f"{tree.files:,} files, {_rounded(tree.bytes)}"
    what_to_do = "each run has its own copy; name what runs do not need in .launcherignore"
    return (f"{spec.name}: its folder is large ({size}), and {what_to_do}",)


def _cutting_flag(run: str | Sequence[str]) -> str | None:
    words = _words(run)
    for at, word in enumerate(words):
        if _PYTHON.fullmatch(word):
            for flag in words[at + 1 :]:
                if not _PLAIN_FLAGS.fullmatch(flag):
                    break
                if _CUT_OFF & set(flag):
                    return flag
    return None


def _words(run: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(run, str):
        return run
    try:
        return shlex.split(run, comments=True)
    except ValueError:  # quotes that only the shell can pair, in a here-document for example
        return run.split()


def _rounded(size_bytes: int) -> str:
    step = 10 ** max(len(str(size_bytes)) - 2, 0)
    return format_size(size_bytes // step * step)


def _join(names: Sequence[str]) -> str:
    return ", ".join(names)
