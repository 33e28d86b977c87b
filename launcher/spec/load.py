"""Read job files: from text to checked jobs. Reads the files that it is given, and looks at their folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from launcher.errors import UsageError
from launcher.spec.batch import check_batch, count_runs
from launcher.spec.document import Document, read_document
from launcher.spec.job import JobSpec, Limits, Machine, Needs
from launcher.spec.job_file import JobFile
from launcher.spec.overrides import apply_overrides
from launcher.spec.sentences import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_RUNS = 100_000


def load_jobs(files: Sequence[Path], *, overrides: Sequence[str] = ()) -> tuple[JobSpec, ...]:
    """Read the jobs of a batch, in the order of their files.

    Args:
        overrides: `key=value` each, dotted keys, for every job.

    Raises:
        UsageError: a file, a field or the batch as a whole is not right.
    """
    jobs = tuple(_load(path, overrides) for path in files)
    check_batch(jobs)
    return jobs


def _load(path: Path, overrides: Sequence[str]) -> JobSpec:
    document = apply_overrides(read_document(path, shown=str(path)), overrides)
    try:
        job = JobFile.model_validate(document.values)
    except ValidationError as error:
        raise explain(error, document) from error
    return _resolve(job, path.absolute(), document)


def _resolve(job: JobFile, source: Path, document: Document) -> JobSpec:
    spec = JobSpec(
        name=job.name or _name_from(source, document),
        source=source,
        folder=_find_folder(job.folder, source, document),
        run=job.run,
        params=job.params,
        grid={name: tuple(values) for name, values in job.grid.items()},
        repeats=job.repeats,
        folds=job.folds,
        seed=job.seed,
        metric=job.metric,
        mode=job.mode,
        needs=Needs(int(job.needs.gpus) if job.needs.gpus == int(job.needs.gpus) else job.needs.gpus),
        machine=Machine(job.machine.types, job.machine.spot, job.machine.regions),
        limits=Limits(job.limits.run, job.limits.stall, job.limits.retries, job.limits.batch, job.limits.usd),
        env=job.env,
        after=job.after,
        stop_on_nan=job.stop_on_nan,
    )
    _check_parameters(spec, document)
    return replace(spec, environment=_find_environment(job.environment, spec, document))


def _name_from(source: Path, document: Document) -> str:
    try:
        JobFile(run="true", name=source.stem)
    except ValidationError as error:
        raise UsageError(
            f"{document.source}: {source.stem!r}, the file's name, can't be the name of a job.",
            "Write name: my-job into the file.",
        ) from error
    return source.stem


def _find_folder(folder: str, source: Path, document: Document) -> Path:
    found = Path(source.parent, folder).resolve()
    place = document.place_of(("folder",))
    if not found.is_dir():
        what = "is not a folder" if found.exists() else "does not exist"
        raise UsageError(f"{place}: folder: {folder} {what}.", "Name a folder relative to the job file.")
    if not any(found.iterdir()):
        raise UsageError(
            f"{place}: folder: {folder} is empty.", "Put the script there, or name another folder."
        )
    return found


def _find_environment(name: str | None, spec: JobSpec, document: Document) -> Path | None:
    if name is None:
        return None
    candidates = [spec.folder / name, spec.source.parent / name]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        place = document.place_of(("environment",))
        raise UsageError(
            f"{place}: environment: there is no file {name}.", "Name a file in the job's folder."
        )
    return found.resolve()


def _check_parameters(spec: JobSpec, document: Document) -> None:
    both = sorted(set(spec.params) & set(spec.grid))
    if both:
        place = document.place_of(("grid", both[0]))
        raise UsageError(f"{place}: {both[0]} stands in params and in grid.", "Remove it from one of them.")
    for name in ("fold", "folds"):
        if spec.folds is not None and name in {*spec.params, *spec.grid}:
            section = "params" if name in spec.params else "grid"
            place = document.place_of((section, name))
            raise UsageError(
                f"{place}: {name} is given to each run by folds.", f"Remove {name} from {section}."
            )
    runs = count_runs(spec)
    if runs > _MOST_RUNS:
        place = document.place_of(("grid",))
        raise UsageError(
            f"{place}: {spec.name} makes {runs:,} runs; the most is {_MOST_RUNS:,}.", "Vary fewer values."
        )
