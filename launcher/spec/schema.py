"""The JSON schema of job files, so that editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

from launcher.spec.job_file import JobFile


def job_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12."""
    schema = JobFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A launcher job"}
