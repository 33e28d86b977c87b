"""launcher reap."""

from __future__ import annotations

import click

from launcher.cli.options import json_option


@click.command(short_help="End what is left on AWS and should not be; asks first.")
@click.argument("what", nargs=-1, metavar="[ID|BATCH]...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--all", "everybody", is_flag=True, help="Look at those of everybody in the account.")
@json_option
def command(what: tuple[str, ...], yes: bool, everybody: bool, as_json: bool) -> None:
    """End what is left of mine on AWS and should not be, and what is named. Asks first.

    That is: machines past their deadline, those whose results are home, launches that were cut off, schedules
    of machines that are gone. A disk that may hold results is never among it: name it to delete it.

    \b
    Examples:
      launcher reap
      launcher reap --yes vol-0123456789abcdef0
    """
    from launcher.cli.here import now, print_json
    from launcher.cli.owning import look_around
    from launcher.errors import LauncherError
    from launcher.reap import carry_out, choose
    from launcher.report.owned import owned_json, owned_lines

    owning = look_around(everybody=everybody)
    chosen = choose(owning.found, what)
    if not chosen:
        click.echo("Nothing to end.", err=True)
    for line in owned_lines(chosen, now=now()) if chosen else ():
        click.echo(line, err=True)
    ends = bool(chosen) and (yes or click.confirm(f"End these {len(chosen)}?", err=True))
    tell = lambda line: click.echo(line, err=True)  # noqa: E731
    left = carry_out(chosen, owning.cloud_of, home=owning.home, tell=tell) if ends else chosen
    ended = [row for row in chosen if row not in left]
    if as_json:
        print_json({"ended": owned_json(ended), "left": owned_json(left)})
    if ends and left:
        ids = ", ".join(row.id for row in left)
        raise LauncherError(
            f"Still there: {ids}.", "Try again: launcher reap. Machines end at their deadline."
        )
