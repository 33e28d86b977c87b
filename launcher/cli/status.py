"""launcher status. Everything here is on its way to the first line, so it imports only what that needs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from launcher.cli.here import boot_id, columns, home_or_fail, now, to_json
from launcher.cli.options import batch_option, json_option
from launcher.report.status import status_text
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from launcher.results.find import find_batch

if TYPE_CHECKING:
    from pathlib import Path

_WATCH_EVERY_S = 2.0


@click.command(short_help="Show runs, epochs, losses and time to go.")
@batch_option
@click.option("--watch", is_flag=True, help="Show it again every two seconds until Ctrl-C.")
@json_option
def command(batch: str | None, watch: bool, as_json: bool) -> None:
    """Show a batch (by default the newest): runs, epochs, losses, time to go. Reads local files only.

    \b
    Examples:
      launcher status
      launcher status 20261121-0213 --json
    """
    folder = find_batch(home_or_fail(), batch)
    try:
        while True:
            page = _page(folder, as_json=as_json)
            if watch:
                click.clear()
            click.echo(page)
            if not watch:
                return
            time.sleep(_WATCH_EVERY_S)
    except KeyboardInterrupt:
        if not watch:
            raise


def _page(folder: Path, *, as_json: bool) -> str:
    record = read_batch(folder, now=now(), boot_id=boot_id())
    if as_json:
        from launcher.results.status import status_json

        return to_json(status_json(record, now=now()))
    return status_text(record, now=now(), details=read_details(record), columns=columns()).removesuffix("\n")
