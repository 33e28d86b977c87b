"""launcher clean."""

from __future__ import annotations

import click

from launcher.clean import find_old, remove
from launcher.cli.here import boot_id, home_or_fail, now
from launcher.freeze import remove_staging
from launcher.report.plan import size


@click.command(short_help="Remove old batches; asks first.")
@click.option("--keep-last", type=click.IntRange(0), default=5, show_default=True, help="How many stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(keep_last: int, yes: bool) -> None:
    """Remove old batches with all their results; never one that is running or queued. Asks first.

    \b
    Example:
      launcher clean --keep-last 10
    """
    home = home_or_fail()
    remove_staging(home)
    old = find_old(home, keep_last=keep_last, now=now(), boot_id=boot_id())
    if not old:
        click.echo("Nothing to remove.", err=True)
        return
    for batch in old:
        click.echo(f"{batch.folder.name}  {batch.state}  {size(batch.bytes)}")
    total = size(sum(batch.bytes for batch in old))
    these = "this batch" if len(old) == 1 else f"these {len(old)} batches"
    if yes or click.confirm(f"Remove {these} ({total}) for good?", err=True):
        remove(old)
