"""Before anything is bought: show the candidates and the most that a batch can cost, and ask once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from launcher.errors import UsageError
from launcher.report.candidates import Limits, candidate_lines, most_usd

if TYPE_CHECKING:
    from launcher.plan.values import Plan
    from launcher.settings.known import Settings


def agree_on_cost(plan: Plan, settings: Settings, *, yes: bool) -> None:
    """Show what a batch may cost; above the setting ask_above_usd somebody must agree.

    Raises:
        UsageError: nobody is here to agree.
        click.Abort: somebody is, and does not.
    """
    limits = Limits(plan.batch_s, plan.usd)
    for line in candidate_lines(plan.fleet, limits):
        click.echo(line, err=True)
    most = most_usd(plan.offers, limits)
    if most is not None:
        agree(most, settings, yes=yes)


def agree(most: float, settings: Settings, *, yes: bool) -> None:
    """Ask once, where this may cost more than may be spent unasked.

    Raises:
        UsageError: nobody is here to agree.
        click.Abort: somebody is, and does not.
    """
    if yes or most <= settings.ask_above_usd:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"This may cost up to ${most:.2f}, and nobody is here to agree.",
            "Say --yes, or set ask_above_usd in the settings.",
        )
    click.confirm(f"Rent for at most ${most:.2f}?", abort=True, err=True)
