"""launcher pull."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from launcher.cli.options import batch_option

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.pull import Pulled

_EVERY_S = 0.2
_PATIENCE_S = 60.0


@click.command(short_help="Bring results home now.")
@batch_option
def command(batch: str | None) -> None:
    """Bring home what is new of a batch (by default the newest) from where it runs, and verify it.

    The exit code is 4 when something that finished runs left is not at home.

    What a machine that is gone has copied to the bucket of the settings comes from there.

    \b
    Example:
      launcher pull
    """
    from launcher.cli.finding import find_anywhere
    from launcher.cli.following import tell_pulled
    from launcher.report.text import plural
    from launcher.spec.quantities import format_size

    folder = find_anywhere(batch)
    pulled = _pull(folder)
    if pulled is None:
        click.echo(f"Nothing to pull: {folder.name} runs here, or is at home.", err=True)
        return
    tell_pulled(folder, pulled)
    size = format_size(pulled.size_bytes)
    click.echo(
        f"{plural(len(pulled.paths), 'file')} new, {size}; {plural(pulled.ended, 'ended run')} at home"
    )


def _pull(folder: Path) -> Pulled | None:
    """Pull from where a batch runs, or from the bucket; None where there is nothing to pull from."""
    from launcher.targets.places import has_machine, is_elsewhere, is_rented, node_of

    if not is_rented(folder):
        if not is_elsewhere(folder):
            return None
        with node_of(folder) as node:
            return _pull_from(node, folder)
    from launcher.cli.nights import pull_from_bucket, reach
    from launcher.errors import MachineGoneError

    if has_machine(folder):
        try:
            with reach(folder) as (_, _, node):
                return _pull_from(node, folder)
        except MachineGoneError:
            pulled = pull_from_bucket(folder)
            if pulled is None:
                raise
            return pulled
    return pull_from_bucket(folder)


def _pull_from(node: Node, folder: Path) -> Pulled:
    from launcher.cli.here import now
    from launcher.errors import NodeError
    from launcher.pull import Puller

    until = time.monotonic() + _PATIENCE_S
    puller = Puller(node, folder, now=now)
    while (pulled := puller.pull()) is None:
        if time.monotonic() > until:
            raise NodeError(f"Somebody else is pulling {folder.name}.", "Let that end, then look again.")
        time.sleep(_EVERY_S)
    return pulled
