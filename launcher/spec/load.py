"""Read job files: from text to checked jobs. Reads the files that it is given, and looks at their folders."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from launcher.errors import UsageError
from launcher.spec.batch import find_conflict
from launcher.spec.document import Document, Fault, read_document
from launcher.spec.job import JobSpec, Limits, Machine, Needs
from launcher.spec.job_checks import find_fault
from launcher.spec.job_file import NAME, JobFile
from launcher.spec.overrides import apply_overrides
from launcher.spec.sentences import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

# A section whose lines are all commented out is none.
_SECTIONS = frozenset({"params", "grid", "needs", "machine", "limits", "env", "after"})


def load_jobs(files: Sequence[Path], *, overrides: Sequence[str] = ()) -> tuple[JobSpec, ...]:
    """Read the jobs of a batch, in the order of their files.

    Args:
        overrides: `key=value` each, dotted keys, for every job.

    Raises:
        UsageError: a file, a field or the batch as a whole is not right.
    """
    documents = tuple(apply_overrides(read_document(path), overrides) for path in files)
    jobs = tuple(_load(path, document) for path, document in zip(files, documents, strict=True))
    conflict = find_conflict(jobs, files=[document.source for document in documents])
    if conflict:
        raise documents[conflict.job].error(conflict)
    return jobs


def _load(path: Path, document: Document) -> JobSpec:
    values = {key: value for key, value in document.values.items() if value is not None or key not in _SECTIONS}
    try:
        job = JobFile.model_validate(values)
    except ValidationError as error:
        raise explain(error, document) from error
    spec = _resolve(job, Path(os.path.abspath(path)), document)  # noqa: PTH100 - links stay, .. goes
    fault = find_fault(spec)
    if fault:
        raise document.error(fault)
    return spec


def _resolve(job: JobFile, source: Path, document: Document) -> JobSpec:
    folder = _find_folder(job.folder, source, document)
    gpus = job.needs.gpus
    return JobSpec(
        name=job.name or _name_from(source, document),
        source=source,
        folder=folder,
        run=job.run,
        params=job.params,
        grid={name: tuple(values) for name, values in job.grid.items()},
        repeats=job.repeats,
        folds=job.folds,
        seed=job.seed,
        metric=job.metric,
        mode=job.mode,
        needs=Needs(int(gpus) if gpus == int(gpus) else gpus),
        machine=Machine(job.machine.types, job.machine.spot, job.machine.regions),
        limits=Limits(job.limits.run, job.limits.stall, job.limits.retries, job.limits.batch, job.limits.usd),
        environment=_find_environment(job.environment, folder, source, document),
        env=job.env,
        after=job.after,
        stop_on_nan=job.stop_on_nan,
    )


def _name_from(source: Path, document: Document) -> str:
    if not re.fullmatch(NAME, source.stem):
        raise UsageError(
            f"{document.source}: name: {source.stem!a}, the file's name, can't be the name of a job.",
            "Write name: my-job into the file.",
        )
    return source.stem


def _find_folder(folder: str, source: Path, document: Document) -> Path:
    found = source.parent / folder
    try:
        with os.scandir(found) as entries:
            is_empty = next(entries, None) is None
    except OSError as error:
        todo = "Name a folder as seen from the job file"
        raise document.error(Fault(("folder",), f"{folder}: {error.strerror}", todo)) from error
    if is_empty:
        todo = "Put the script there, or name another folder"
        raise document.error(Fault(("folder",), f"the folder {folder} is empty", todo))
    return found.resolve()


def _find_environment(name: str | None, folder: Path, source: Path, document: Document) -> Path | None:
    if name is None:
        return None
    for path in (folder / name, source.parent / name):
        if os.path.isfile(path):  # noqa: PTH113 - a name that is too long is just not there
            return path.resolve()
    todo = "Name a requirements file in the job's folder, or as seen from the job file"
    raise document.error(Fault(("environment",), f"there is no file {name}", todo))
