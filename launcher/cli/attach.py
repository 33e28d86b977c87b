"""launcher attach."""

from __future__ import annotations

import click

from launcher.cli.options import batch_option


@click.command(short_help="Watch a batch that was left alone.")
@batch_option
def command(batch: str | None) -> int:
    """Watch a batch (by default the newest) until it ends; the exit code tells its outcome.

    \b
    Example:
      launcher attach
    """
    from launcher.cli.following import follow_to_exit_code
    from launcher.cli.here import home_or_fail
    from launcher.results.find import find_batch

    return follow_to_exit_code(find_batch(home_or_fail(), batch))
