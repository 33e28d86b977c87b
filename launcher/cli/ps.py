"""launcher ps."""

from __future__ import annotations

import click

from launcher.cli.options import json_option


@click.command(short_help="List every machine and disk of mine on AWS, its price and its deadline.")
@click.option("--all", "everybody", is_flag=True, help="Those of everybody in the account.")
@json_option
def command(everybody: bool, as_json: bool) -> None:
    """List every machine, disk and schedule of mine on AWS, in every region used.

    They are found by their tags, also those that another computer rented. What should not be there is named
    with its reason; launcher reap ends it.

    \b
    Examples:
      launcher ps
      launcher ps --json
    """
    from launcher.cli.here import now, print_json
    from launcher.cli.owning import look_around
    from launcher.report.owned import owned_json, owned_lines

    rows = look_around(everybody=everybody).found.rows
    if as_json:
        print_json(owned_json(rows))
        return
    for line in owned_lines(rows, now=now()):
        click.echo(line)
