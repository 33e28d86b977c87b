"""launcher pull."""

from __future__ import annotations

import time

import click

from launcher.cli.options import batch_option


@click.command(short_help="Bring results home now.")
@batch_option
def command(batch: str | None) -> None:
    """Bring home what is new of a batch (by default the newest) from where it runs, and verify it.

    The exit code is 4 when something that finished runs left is not at home.

    \b
    Example:
      launcher pull
    """
    from launcher.cli.finding import find_anywhere
    from launcher.cli.following import tell_pulled
    from launcher.cli.here import now
    from launcher.errors import NodeError
    from launcher.pull import Puller
    from launcher.report.text import plural
    from launcher.spec.quantities import format_size
    from launcher.targets.places import is_elsewhere, node_of

    folder = find_anywhere(batch)
    if not is_elsewhere(folder):
        click.echo(f"Nothing to pull: {folder.name} runs here.", err=True)
        return
    until = time.monotonic() + _PATIENCE_S
    with node_of(folder) as node:
        puller = Puller(node, folder, now=now)
        while (pulled := puller.pull()) is None:
            if time.monotonic() > until:
                raise NodeError(f"Somebody else is pulling {folder.name}.", "Let that end, then look again.")
            time.sleep(_EVERY_S)
    tell_pulled(folder, pulled)
    size = format_size(pulled.size_bytes)
    click.echo(
        f"{plural(len(pulled.paths), 'file')} new, {size}; {plural(pulled.ended, 'ended run')} at home"
    )


_EVERY_S = 0.2
_PATIENCE_S = 60.0
