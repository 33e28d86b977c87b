"""launcher schema."""

from __future__ import annotations

import click


@click.command(short_help="Print the JSON schema of job files, for editors.")
def command() -> None:
    """Print the JSON schema of job files.

    \b
    Example:
      launcher schema > .launcher-schema.json
    """
    from launcher.cli.here import print_json
    from launcher.spec.schema import job_schema

    print_json(job_schema())
