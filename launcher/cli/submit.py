"""launcher submit."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import click

from launcher.cli.options import job_options, json_option

if TYPE_CHECKING:
    from launcher.plan.values import Plan


@click.command(short_help="Run a batch of jobs, here or where --on says.")
@job_options
@click.option("--detach", is_flag=True, help="Print the batch id and leave the batch running.")
@click.option("--plan", "only_plan", is_flag=True, help="Show the plan; submit nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--keep", metavar="DURATION", help="Leave the machine for the next batch, as 30m.")
@click.option("--wait", metavar="DURATION", help="How long to try for a machine, as 30m.")
@json_option
def command(
    detach: bool, only_plan: bool, yes: bool, keep: str | None, wait: str | None, as_json: bool, **asked: Any
) -> int | None:
    """Run a batch of jobs and follow it to its end.

    One Ctrl-C leaves the batch running, a second one stops it. The exit code is 0 when every run succeeded.

    \b
    Examples:
      launcher submit jobs/*.yaml
      launcher submit jobs/sonar.yaml --set repeats=3 --set params.epochs=20 --detach
    """
    from launcher.cli.batching import prepare
    from launcher.cli.following import follow_to_exit_code, watching
    from launcher.cli.here import now
    from launcher.cli.plan import show_plan
    from launcher.cli.sending import sending_bar
    from launcher.settings.home import make_home
    from launcher.submit import submit

    prepared = prepare(keep=keep, wait=wait, **asked)
    plan = prepared.draft.plan
    if only_plan:
        show_plan(plan, as_json=as_json)
        return None
    _tell_plan(plan)
    if not plan.runs:
        click.echo("Nothing to do.", err=True)
        return 0
    if plan.on == "ec2":
        from launcher.cli.cost import agree_on_cost

        agree_on_cost(plan, prepared.settings, yes=yes)
    with sending_bar() as progress:
        batch = submit(
            prepared.draft,
            home=make_home(prepared.home),
            target=prepared.target,
            now=now(),
            random=random.Random(),  # noqa: S311 - it names batches
            tell=lambda line: click.echo(line, err=True),
            progress=progress,
        )
    if not detach:
        return follow_to_exit_code(batch, is_new=True, keep=keep)
    with watching(batch) as watch:
        watch.wait_for_runner()
    click.echo(batch.name)
    return 0


def _tell_plan(plan: Plan) -> None:
    from launcher.report.plan import code_lines, finished_note
    from launcher.report.text import plural

    click.echo(f"{plural(len(plan.runs), 'run')} of {plural(len(plan.jobs), 'job')} on {plan.on}", err=True)
    if plan.skipped:
        click.echo(f"{len(plan.skipped):,} more succeeded before, unchanged, and are left out", err=True)
    for note in finished_note(plan.finished, skipped=len(plan.skipped)):
        click.echo(note, err=True)
    for line in code_lines([(job.name, job.code) for job in plan.jobs]):
        click.echo(line, err=True)
    for warning in plan.warnings:
        click.echo(f"note: {warning}", err=True)
