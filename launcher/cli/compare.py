"""launcher compare."""

from __future__ import annotations

import click

from launcher.cli.here import boot_id, columns, home_or_fail, now, print_json
from launcher.cli.options import complete_batch, json_option
from launcher.results.batch import read_batch
from launcher.results.find import find_batch


@click.command(short_help="Compare variants over their repeats: mean, deviation, interval.")
@click.argument("batches", nargs=-1, shell_complete=complete_batch)
@click.option("--metric", help="A column of history.csv, or evaluate.NAME; by default each job's own.")
@json_option
def command(batches: tuple[str, ...], metric: str | None, as_json: bool) -> None:
    """Compare the variants of batches (by default the newest).

    Shows mean, sample standard deviation, standard error, 95 % t interval and n.

    n counts repeats (seeds): the folds of a repeat share training data, so they are averaged first.

    \b
    Example:
      launcher compare --metric val_loss
    """
    from launcher.report.comparison import compare
    from launcher.report.comparison_text import comparison_json, comparison_text

    home = home_or_fail()
    folders = [find_batch(home, batch) for batch in batches] or [find_batch(home)]
    records = [read_batch(folder, now=now(), boot_id=boot_id()) for folder in folders]
    comparison = compare(records, metric=metric)
    if as_json:
        print_json(comparison_json(comparison))
    else:
        click.echo(comparison_text(comparison, columns=columns()), nl=False)
