"""A job names its backend once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.errors import UsageError

if TYPE_CHECKING:
    from launcher.spec.document import Document
    from launcher.spec.job import JobSpec

VARIABLE = "KERAS_BACKEND"


def check_backend(job: JobSpec, document: Document) -> None:
    """Check that `env` says nothing else than `backend`.

    Raises:
        UsageError: it does.
    """
    other = job.env.get(VARIABLE)
    if job.backend is not None and other not in (None, job.backend):
        raise UsageError(
            f"{document.place_of('env', VARIABLE)}: env.{VARIABLE} is {other}, and backend is {job.backend}.",
            "Remove one of them.",
        )
