"""launcher plan: the very value that submit carries out, shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from launcher.cli.options import job_options, json_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.plan.values import Plan


@click.command(short_help="Show what submit would do; writes nothing.")
@job_options
@json_option
def command(as_json: bool, **asked: Any) -> None:
    """Show what submit would do: runs in order, commands, limits, what is left out. Writes nothing.

    \b
    Example:
      launcher plan jobs/*.yaml --set repeats=5
    """
    from launcher.cli.batching import prepare

    show_plan(prepare(**asked).draft.plan, as_json=as_json)


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Print a plan to stdout."""
    from launcher.cli.here import columns, print_json
    from launcher.report.plan import plan_text

    frozen = plan.frozen()
    if as_json:
        print_json(_for_scripts(frozen))
    else:
        click.echo(plan_text(frozen, warnings=plan.warnings, columns=columns()), nl=False)


def _for_scripts(frozen: Mapping[str, Any]) -> dict[str, Any]:
    code = {job["name"]: job["code"] for job in frozen["jobs"]}
    offers = [{"on": frozen["on"], "price_usd_per_hour": 0.0}]
    return {**frozen, "code": code, "offers": offers}
