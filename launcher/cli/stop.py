"""launcher stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from launcher.cli.here import boot_id, home_or_fail, now
from launcher.cli.options import complete_batch
from launcher.errors import NodeError, UsageError
from launcher.nodes.local import LocalNode
from launcher.results.batch import read_batch
from launcher.results.find import find_batch, find_run
from launcher.runner import names
from launcher.steer import cancel

if TYPE_CHECKING:
    from pathlib import Path

_EVERY_S = 0.1
_PATIENCE_S = 60.0


@click.command(short_help="Cancel a batch or some of its runs, cleanly.")
@click.argument("what", nargs=-1, metavar="[BATCH|RUN]...", shell_complete=complete_batch)
def command(what: tuple[str, ...]) -> None:
    """Cancel a batch (by default the newest) or runs.

    What runs is ended with all its processes; what is queued never starts.

    \b
    Examples:
      launcher stop
      launcher stop sonar-dropout-0003 sonar-dropout-0004
    """
    home = home_or_fail()
    for batch, runs in _find(home, what).items():
        cancel(LocalNode(home), batch.name, runs=runs)
        _wait_until_ended(batch, runs)
        click.echo(f"stopped {batch.name}" + (f": {', '.join(runs)}" if runs else ""))


def _find(home: Path, what: tuple[str, ...]) -> dict[Path, list[str]]:
    if not what:
        return {find_batch(home): []}
    found: dict[Path, list[str]] = {}
    for word in what:
        try:
            batch, runs = find_batch(home, word), []
        except UsageError:
            run = find_run(home, word)
            batch, runs = run.batch, [run.run]
        found.setdefault(batch, []).extend(runs)
    return found


def _wait_until_ended(batch: Path, runs: list[str]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        record = read_batch(batch, now=now(), boot_id=boot_id())
        if all(run.state in names.ENDED for run in record.runs if not runs or run.id in runs):
            return
        time.sleep(_EVERY_S)
    raise NodeError(f"{batch.name} has not ended after {_PATIENCE_S:g} s.", "Look again: launcher status.")
