"""launcher attach."""

from __future__ import annotations

import click

from launcher.cli.options import batch_option


@click.command(short_help="Watch a batch that was left alone.")
@batch_option
def command(batch: str | None) -> int:
    """Watch a batch (by default the newest) until it ends; the exit code tells its outcome.

    One that another computer of the same AWS account submitted is brought here first; give its id as
    launcher ps shows it.

    \b
    Examples:
      launcher attach
      launcher attach 20261121-0213-brisk-otter
    """
    from launcher.cli.finding import find_anywhere
    from launcher.cli.following import follow_to_exit_code

    return follow_to_exit_code(find_anywhere(batch))
