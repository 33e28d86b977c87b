"""launcher status. Everything here is on its way to the first line, so it imports only what that needs."""

from __future__ import annotations

import time

import click

from launcher.cli.here import boot_id, columns, home_or_fail, now, print_json
from launcher.cli.options import batch_option, json_option
from launcher.report.status import status_text
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from launcher.results.find import find_batch


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
    while True:
        record = read_batch(folder, now=now(), boot_id=boot_id())
        if watch:
            click.clear()
        if as_json:
            from launcher.results.status import status_json

            print_json(status_json(record))
        else:
            click.echo(
                status_text(record, now=now(), details=read_details(record), columns=columns()), nl=False
            )
        if not watch:
            return
        time.sleep(2.0)
