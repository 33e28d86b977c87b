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
    from launcher.report.plan import finished_note, plan_text

    frozen = plan.frozen()
    if as_json:
        print_json(_for_scripts(plan, frozen))
    else:
        lines = _candidates(plan)
        said = (*plan.warnings, *plan.advice, *finished_note(plan.finished, skipped=len(plan.skipped)))
        click.echo(plan_text(frozen, warnings=said, candidates=lines, columns=columns()), nl=False)


def _candidates(plan: Plan) -> list[str]:
    from launcher.report.candidates import Limits, candidate_lines

    return candidate_lines(plan.fleet, Limits(plan.batch_s, plan.usd)) if plan.on == "ec2" else []


def _for_scripts(plan: Plan, frozen: Mapping[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from launcher.report.candidates import Limits, offers_for_scripts

    code = {job["name"]: job["code"] for job in frozen["jobs"]}
    here: list[dict[str, Any]] = [{"on": plan.on, "price_usd_per_hour": 0.0}]
    offers = offers_for_scripts(plan.fleet, Limits(plan.batch_s, plan.usd)) if plan.on == "ec2" else here
    refused = [asdict(each) for each in plan.fleet.refused]
    said = {"refused": refused, "fleet_notes": plan.fleet.notes, "advice": plan.advice}
    return {**frozen, "code": code, "offers": offers, **said}
