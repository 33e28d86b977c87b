"""launcher stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from launcher.cli.here import boot_id, home_or_fail, now
from launcher.cli.options import complete_batch_or_run
from launcher.errors import NodeError, UsageError
from launcher.results.batch import read_batch
from launcher.results.find import find_batch, find_run, list_batches
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from launcher.cli.following import Watch
    from launcher.results.records import BatchRecord

_EVERY_S = 0.1
_PATIENCE_S = 60.0
_TO_STOP = frozenset({names.QUEUED, names.RUNNING, names.INTERRUPTED})


@click.command(short_help="Cancel a batch or some of its runs, cleanly.")
@click.argument("what", nargs=-1, metavar="[BATCH|RUN]...", shell_complete=complete_batch_or_run)
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
        _stop(batch, runs)


def _find(home: Path, words: Collection[str]) -> dict[Path, set[str]]:
    """Return the batches meant, and of each the runs; no run stands for all."""
    if not words:
        return {find_batch(home): set()}
    found: dict[Path, set[str]] = {}
    whole: set[Path] = set()
    for word in words:
        batch, run = _find_one(home, word)
        found.setdefault(batch, set()).update({run} if run else ())
        whole |= set() if run else {batch}
    return {batch: set() if batch in whole else runs for batch, runs in found.items()}


def _find_one(home: Path, word: str) -> tuple[Path, str | None]:
    try:
        return find_batch(home, word), None
    except UsageError as no_batch:
        if any(batch.name.startswith(word) for batch in list_batches(home)):
            raise
        try:
            run = find_run(home, word)
        except UsageError as no_run:
            # Of two reasons, the one that knows what may be meant.
            raise no_batch if "Did you mean" in no_batch.todo else no_run from None
        return run.batch, run.run


def _stop(batch: Path, runs: set[str]) -> None:
    from launcher.cli.following import end_if_rented, watching
    from launcher.steer import cancel

    with watching(batch) as watch:
        watch.refresh_at_once()
        wanted = sorted(
            run.id for run in _read(batch).runs if run.state in _TO_STOP and run.id in (runs or {run.id})
        )
        if not wanted:
            click.echo(f"Nothing to stop in {batch.name}: it has ended.", err=True)
            return
        cancel(watch.node, batch.name, runs=wanted if runs else ())
        watch.wait_for_runner()
        _wait_until_ended(watch, wanted)
        if not runs:
            watch.finish()
    if not runs:
        end_if_rented(batch)
    click.echo(f"stopped {batch.name}" + (f": {', '.join(wanted)}" if runs else ""))


def _wait_until_ended(watch: Watch, runs: Collection[str]) -> None:
    batch, wanted, until = watch.batch, set(runs), time.monotonic() + _PATIENCE_S
    while any(run.state in _TO_STOP for run in _read(batch).runs if run.id in wanted):
        if time.monotonic() > until:
            raise NodeError(
                f"{batch.name} has not ended after {_PATIENCE_S:g} s.", "Look again: launcher status."
            )
        time.sleep(_EVERY_S)
        watch.refresh()


def _read(batch: Path) -> BatchRecord:
    return read_batch(batch, now=now(), boot_id=boot_id())
