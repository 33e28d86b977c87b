"""launcher resume."""

from __future__ import annotations

import click

from launcher.cli.options import batch_option


@click.command(short_help="Go on with a batch that was stopped or interrupted.")
@batch_option
@click.option("--failed", is_flag=True, help="Run failed runs again as well.")
@click.option("--detach", is_flag=True, help="Leave the batch running.")
def command(batch: str | None, failed: bool, detach: bool) -> int:
    """Run what is queued, interrupted, cancelled, stalled or timed out; finished runs stay as they are.

    \b
    Example:
      launcher resume --failed
    """
    from launcher.cli.following import follow_to_exit_code
    from launcher.cli.here import home_or_fail
    from launcher.nodes.local import LocalNode
    from launcher.results.find import find_batch
    from launcher.steer import resume

    home = home_or_fail()
    folder = find_batch(home, batch)
    resume(LocalNode(home), folder.name, failed=failed)
    if detach:
        click.echo(folder.name)
        return 0
    return follow_to_exit_code(folder)
