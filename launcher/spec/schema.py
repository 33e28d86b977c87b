"""The JSON schema of job files, so that editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from launcher.spec.job_file import JobFile


def job_schema() -> dict[str, Any]:
    """Return the schema, draft 2020-12."""
    schema = JobFile.model_json_schema(schema_generator=_Untitled)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "A launcher job"}


class _Untitled(GenerateJsonSchema):
    """Fields have descriptions; a title such as "Stop On Nan" would say nothing more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False
