"""Write job files and read them back: the whole of launcher.spec is seen through load_jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.errors import UsageError
from launcher.spec import load_jobs

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.spec import JobSpec

RUN = "run: python train.py\n"


def load(folder: Path, text: str | bytes, *overrides: str, file: str = "job.yaml") -> JobSpec:
    """Return the job of one file."""
    (job,) = load_jobs([write(folder, text, file)], overrides=overrides)
    return job


def refused(folder: Path, text: str | bytes, *overrides: str, file: str = "job.yaml") -> tuple[str, str]:
    """Return what is said of a job file that is refused, and what to do."""
    return refused_batch([write(folder, text, file)], *overrides)


def refused_batch(files: list[Path], *overrides: str) -> tuple[str, str]:
    """Return what is said of job files that are refused, without their folder, and what to do."""
    with pytest.raises(UsageError) as caught:
        load_jobs(files, overrides=overrides)
    assert caught.value.exit_code == 2
    assert f"{caught.value.what}{caught.value.todo}".isprintable()
    return caught.value.what.replace(f"{files[0].parent}/", ""), caught.value.todo


def write(folder: Path, text: str | bytes, file: str = "job.yaml") -> Path:
    """Write a job file."""
    path = folder / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
