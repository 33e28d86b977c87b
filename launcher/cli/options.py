"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

F = TypeVar("F", bound="Callable[..., Any]")


def batch_option(function: F) -> F:
    """Add the optional argument BATCH."""
    return click.argument("batch", required=False, shell_complete=complete_batch)(function)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(function)


def job_options(function: F) -> F:
    """Add FILES and what changes a plan."""
    for option in reversed(
        (
            click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path)),
            click.option("--on", metavar="PLACE", help="Where to run: local (default)."),
            click.option(
                "--set",
                "overrides",
                multiple=True,
                metavar="KEY=VALUE",
                help="Override a field of every job, e.g. --set params.epochs=5 --set repeats=3.",
            ),
            click.option(
                "--needed", is_flag=True, help="Leave out runs that have succeeded before, unchanged."
            ),
            click.option("--slots", type=click.IntRange(1), help="How many runs at a time."),
            click.option("--cpu", is_flag=True, help="Use no GPU, also where a job asks for one."),
        )
    ):
        function = option(function)
    return function


def complete_batch(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of batches."""
    from click.shell_completion import CompletionItem

    from launcher.results.find import list_batches
    from launcher.settings.home import find_home

    home = find_home(Path.cwd())
    found = list_batches(home) if home else ()
    return [CompletionItem(batch.name) for batch in found if batch.name.startswith(incomplete)]


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete ids of runs of the newest batch."""
    from click.shell_completion import CompletionItem

    from launcher.results.find import find_batch
    from launcher.results.plan_file import read_plan
    from launcher.settings.home import find_home

    del ctx, param
    home = find_home(Path.cwd())
    if home is None:
        return []
    ids = (str(run["id"]) for run in read_plan(find_batch(home))["runs"])
    return [CompletionItem(run) for run in ids if run.startswith(incomplete)][:200]
