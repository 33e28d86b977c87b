"""launcher init."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Start a project: an example job, its script, settings.")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Start a project in FOLDER (by default here): an example job, its script, settings. Overwrites nothing.

    \b
    Example:
      launcher init my-experiments
    """
    from launcher.start_project import start_project

    for path, is_new in start_project(folder):
        click.echo(f"{'wrote' if is_new else 'kept '} {folder / path}")
    click.echo(f"Try it: launcher submit {folder / 'jobs' / 'example.yaml'}", err=True)
