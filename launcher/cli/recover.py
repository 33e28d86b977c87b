"""launcher recover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from launcher.cli.options import batch_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Bring results home from the kept disk of a machine that is gone.")
@batch_option
def command(batch: str | None) -> None:
    """Bring results of a batch (by default the newest) home from the disk of its machine, which is gone.

    A small machine is rented for some minutes to read the disk; once everything is at home and verified, both
    are removed. With its id, a batch that another computer submitted is found by the tags of its disk. The
    exit code is 4 when something is missing; the disk is kept then.

    \b
    Example:
      launcher recover
    """
    from launcher.cli.finding import find_recoverable
    from launcher.cli.nights import terms_of
    from launcher.recover import recover
    from launcher.report.text import plural
    from launcher.spec.quantities import format_size

    folder = find_recoverable(batch)
    pulled = recover(folder, terms_of(folder))
    if pulled is None:
        click.echo(f"{folder.name} has no disk left to read.", err=True)
        _recover_from_bucket(folder)
        return
    click.echo(
        f"{plural(len(pulled.paths), 'file')} new, {format_size(pulled.size_bytes)}; "
        f"{plural(pulled.ended, 'ended run')} at home; the disk is deleted"
    )


def _recover_from_bucket(folder: Path) -> None:
    from launcher.cli.following import tell_pulled
    from launcher.cli.nights import pull_from_bucket
    from launcher.report.text import plural

    pulled = pull_from_bucket(folder)
    if pulled is not None:
        tell_pulled(folder, pulled)
        click.echo(f"{plural(len(pulled.paths), 'file')} came from the bucket")
