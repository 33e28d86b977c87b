"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from launcher.errors import UsageError
from launcher.settings.home import find_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

F = TypeVar("F", bound="Callable[..., Any]")
_MOST_COMPLETIONS = 200


def batch_option(function: F) -> F:
    """Add the optional argument BATCH."""
    return click.argument("batch", required=False, shell_complete=complete_batch)(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(function)


def files_options(function: F) -> F:
    """Add FILES and --set: which jobs."""
    return _add(
        function,
        click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path)),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a field of every job, e.g. --set params.epochs=5 --set repeats=3.",
        ),
    )


def job_options(function: F) -> F:
    """Add FILES, --set, and what else changes a plan."""
    return _add(
        function,
        files_options,
        click.option(
            "--on", metavar="PLACE", help="Where to run: local (default), ec2, ssh:[user@]host[:port]."
        ),
        click.option("--needed", is_flag=True, help="Leave out runs that have succeeded before, unchanged."),
        click.option("--slots", type=click.IntRange(1), help="How many runs at a time."),
        click.option("--cpu", is_flag=True, help="Use no GPU, also where a job asks for one."),
    )


def complete_batch(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of batches."""
    from launcher.results.find import list_batches

    del ctx, param
    home = find_home(Path.cwd())
    return _items((batch.name for batch in list_batches(home)) if home else (), incomplete)


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of runs of the newest batch, or of the one that stands before a slash."""
    from launcher.results.find import find_batch
    from launcher.results.plan_file import read_plan

    del ctx, param
    batch, slash, _ = incomplete.rpartition("/")
    home = find_home(Path.cwd())
    try:
        runs = read_plan(find_batch(home, batch or None))["runs"] if home else ()
    except UsageError:  # no batch, or a damaged one
        return []
    return _items((f"{batch}{slash}{run['id']}" for run in runs), incomplete)


def complete_batch_or_run(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete ids of batches, and of runs of the newest one."""
    return complete_batch(ctx, param, incomplete) + complete_run(ctx, param, incomplete)


def _add(function: F, *options: Callable[[Any], Any]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def _items(ids: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(each) for each in ids if each.startswith(incomplete)][:_MOST_COMPLETIONS]
