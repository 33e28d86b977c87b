"""Read job files: from text to checked jobs. Reads the files that it is given, and looks at their folders."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from launcher.errors import UsageError
from launcher.spec.backend import check_backend
from launcher.spec.batch import Read, check_batch
from launcher.spec.document import Document, read_document
from launcher.spec.job import JobSpec, Limits, Machine, Needs, StopWhen
from launcher.spec.job_file import NAME_PATTERN, JobFile
from launcher.spec.overrides import apply_overrides
from launcher.spec.parameters import check_parameters
from launcher.spec.sentences import explain
from launcher.spec.shown import make_printable, show_value

if TYPE_CHECKING:
    from collections.abc import Sequence

# A section whose lines are all commented out is none.
_SECTIONS = frozenset({"params", "grid", "needs", "machine", "limits", "env", "after", "stop_when"})

_JUDGED_LATER = ("run", "backend", "needs.gpus")


def load_jobs(files: Sequence[Path], *, overrides: Sequence[str] = ()) -> tuple[JobSpec, ...]:
    """Read the jobs of a batch, in the order of their files.

    Args:
        overrides: `key=value` each, dotted keys, for every job.

    Raises:
        UsageError: a file, a field or the batch as a whole is not right.
    """
    read = tuple(_load(path, overrides) for path in files)
    check_batch(read)
    return tuple(job for job, _ in read)


def _load(path: Path, overrides: Sequence[str]) -> Read:
    document = apply_overrides(read_document(path, shown=make_printable(str(path))), overrides)
    left_out = {key for key, value in document.values.items() if value is None} & _SECTIONS
    try:
        fields = JobFile.model_validate({k: v for k, v in document.values.items() if k not in left_out})
    except ValidationError as error:
        raise explain(error, document) from error
    job = _resolve(fields, path.absolute(), document)
    check_parameters(job, document)
    check_backend(job, document)
    return Read(job, document)


def _resolve(fields: JobFile, source: Path, document: Document) -> JobSpec:
    limits = fields.limits
    folder = _find_folder(fields.folder, source, document)
    return JobSpec(
        name=fields.name or _name_from(source, document),
        source=source,
        folder=folder,
        run=fields.run,
        params=fields.params,
        grid={name: tuple(values) for name, values in fields.grid.items()},
        repeats=fields.repeats,
        folds=fields.folds,
        seed=fields.seed,
        metric=fields.metric,
        mode=fields.mode,
        needs=Needs(fields.needs.gpus),
        machine=Machine(fields.machine.types, fields.machine.spot, fields.machine.regions),
        limits=Limits(limits.run, limits.stall, limits.retries, limits.batch, limits.usd),
        environment=_find_environment(fields.environment, (folder, source.parent), document),
        env=fields.env,
        after=fields.after,
        stop_on_nan=fields.stop_on_nan,
        warm=fields.warm,
        backend=fields.backend,
        stop_when=None if fields.stop_when is None else StopWhen(**fields.stop_when.model_dump()),
        fast=fields.fast,
        checkpoint_s=fields.checkpoint,
        places={key: document.place_of(*key.split(".")) for key in _JUDGED_LATER},
    )


def _name_from(source: Path, document: Document) -> str:
    if not re.fullmatch(NAME_PATTERN, source.stem):
        raise UsageError(
            f"{document.source}: {show_value(source.stem)}, the file's name, can't be the name of a job.",
            "Write name: my-job into the file.",
        )
    return source.stem


def _find_folder(name: str, source: Path, document: Document) -> Path:
    found = Path(os.path.realpath(source.parent / name))
    try:
        is_empty = not any(found.iterdir())
    except OSError as error:
        raise UsageError(
            f"{document.place_of('folder')}: folder: {show_value(name)} can't be read: {error.strerror}.",
            "Name a folder, relative to the job file.",
        ) from error
    if is_empty:
        raise UsageError(
            f"{document.place_of('folder')}: folder: {show_value(name)} is empty.",
            "Put the script there, or name another folder.",
        )
    return found


def _find_environment(name: str | None, folders: Sequence[Path], document: Document) -> Path | None:
    if name is None:
        return None
    for folder in folders:
        found = Path(os.path.realpath(folder / name))
        if os.path.isfile(found):  # noqa: PTH113 - a name that is too long is just not there
            return found
    raise UsageError(
        f"{document.place_of('environment')}: environment: there is no file {show_value(name)}.",
        "Name a requirements file in the job's folder.",
    )
