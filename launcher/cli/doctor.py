"""launcher doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from launcher.cli.options import json_option
from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launcher.report.checks import Check
    from launcher.settings.known import Settings


@click.command(short_help="Check everything that a batch needs, and say how to mend it.")
@click.option("--on", metavar="PLACE", help="What to check: local, or ec2 as well.")
@click.option("--region", metavar="REGION", help="Which region of AWS; default: the first of the settings.")
@click.option(
    "--probe", default="github.com:22", metavar="HOST:PORT", help="What must be reachable for SSH to get out."
)
@json_option
def command(on: str | None, region: str | None, probe: str, as_json: bool) -> None:
    """Check everything that a batch needs, in order; each failure is told with its remedy. Changes nothing.

    \b
    Examples:
      launcher doctor
      launcher doctor --on ec2 --region us-east-1
    """
    from dataclasses import asdict

    from launcher.cli.batching import settings_here
    from launcher.cli.here import columns, print_json
    from launcher.report.checks import checks_text

    checks = list(_all_checks(settings_here(on=on), region, probe))
    if as_json:
        is_ok = all(each.state != "failed" for each in checks)
        print_json({"ok": is_ok, "checks": [asdict(each) for each in checks]})
    else:
        click.echo(checks_text(checks, columns=columns()), nl=False)


def _all_checks(settings: Settings, region: str | None, probe: str) -> Iterator[Check]:
    from pathlib import Path

    from launcher.doctor import check_here
    from launcher.settings.home import find_home

    yield from check_here(find_home(Path.cwd()) or Path.cwd() / ".launcher")
    if settings.on == "ec2":
        yield from _on_ec2(settings, region, probe)


def _on_ec2(settings: Settings, region: str | None, probe: str) -> Iterator[Check]:
    from launcher.cli.renting import DEFAULT_REGION, make_cloud
    from launcher.spec.job import TYPES
    from launcher.targets.ec2_checks import Wanted, check_ec2

    host, _, port = probe.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--probe {probe}: that is no host and port.", "Write, for example, github.com:22.")
    wanted = Wanted(
        types=TYPES,
        subnet=settings.subnet,
        image=settings.image,
        cidr=settings.cidr,
        disk_gb=settings.disk_gb,
        probe=(host, int(port)),
    )
    where = region or next(iter(settings.regions), DEFAULT_REGION)
    return check_ec2(make_cloud(settings, where), wanted)
