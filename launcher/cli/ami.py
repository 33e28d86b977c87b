"""launcher ami: images in which the stack is installed already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from launcher.cli.options import json_option
from launcher.errors import UsageError

if TYPE_CHECKING:
    from launcher.aws.own_images import OwnImage


@click.group(name="ami", short_help="Build, list and retire machine images of your own.")
def command() -> None:
    """Build, list and retire machine images in which the stack is installed already.

    \b
    Examples:
      launcher ami build
      launcher ami list
      launcher ami retire ami-0123456789abcdef0
    """


@command.command("build", short_help="Build an image on a rented machine, and try it on a second one.")
@click.option("--type", "type_name", metavar="TYPE", default="g6.xlarge", show_default=True, help="On what.")
@click.option("--region", metavar="REGION", help="Where; default: the first region of the settings.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def build_command(type_name: str, region: str | None, yes: bool) -> None:
    """Build an image in which the stack is installed already, for types with a GPU like this one's.

    Two machines are rented one after the other and ended again: one is installed and copied, the other starts
    from the copy and is looked over. Only then do plans prefer the image.

    \b
    Example:
      launcher ami build --type g6.xlarge
    """
    from launcher.cli.building import build

    made = build(type_name, region, yes=yes)
    click.echo(made.id)
    click.echo(f"{made.name}: ${made.usd_per_month:.2f} a month; remove it: launcher ami retire", err=True)


@command.command("list", short_help="Show images, whether they were verified, and what they cost.")
@click.option("--region", metavar="REGION", help="Where; default: all regions of the settings.")
@json_option
def list_command(region: str | None, as_json: bool) -> None:
    """Show images of yours: what is in them, whether they were verified, what keeping them costs.

    \b
    Example:
      launcher ami list
    """
    from launcher.cli.here import print_json
    from launcher.report.text import clean, table
    from launcher.targets.stack import hash_stack

    found = _find(region)
    if as_json:
        print_json([_content(image) for image in found])
        return
    rows = [
        (
            image.id,
            image.region,
            image.state,
            image.gpu,
            "the stack of now" if image.environment == hash_stack() else f"stack {image.environment[:8]}",
            f"verified {image.verified_at[:10]}" if image.verified_at else "not verified",
            f"${image.usd_per_month:.2f} a month",
        )
        for image in found
    ]
    lines = table([tuple(clean(cell) for cell in row) for row in rows], indent="")
    click.echo("\n".join(lines) if rows else "There is no image of yours.")


@command.command("retire", short_help="Remove an image and its snapshots.")
@click.argument("image")
@click.option("--region", metavar="REGION", help="Where; default: all regions of the settings.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def retire_command(image: str, region: str | None, yes: bool) -> None:
    """Remove an image of yours and its snapshots. Machines that started from it go on.

    \b
    Example:
      launcher ami retire ami-0123456789abcdef0 --yes
    """
    from launcher.aws.own_images import retire
    from launcher.cli.batching import settings_here
    from launcher.cli.renting import make_cloud

    found = next((each for each in _find(region) if each.id == image), None)
    if found is None:
        raise UsageError(f"There is no image {image} of yours.", "See launcher ami list.")
    if not yes:
        click.confirm(f"Remove {found.id} ({found.name}) and its snapshots?", abort=True, err=True)
    retire(make_cloud(settings_here(), found.region), found)
    click.echo(f"{found.id} is gone", err=True)


def _find(region: str | None) -> list[OwnImage]:
    from launcher.aws.own_images import list_images
    from launcher.cli.batching import settings_here
    from launcher.cli.renting import DEFAULT_REGION, cloud_maker

    settings = settings_here()
    cloud_of = cloud_maker(settings)
    regions = (region,) if region else settings.regions or (DEFAULT_REGION,)
    return [image for each in regions for image in list_images(cloud_of(each))]


def _content(image: OwnImage) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(image) | {"created_at": image.created_at.isoformat(), "usd_per_month": image.usd_per_month}
