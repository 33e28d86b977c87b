"""launcher iam-policy."""

from __future__ import annotations

import click


@click.command(name="iam-policy", short_help="Print the smallest AWS policy with which launcher works.")
@click.option("--account", metavar="NUMBER", help="For which account; default: the one of the credentials.")
@click.option("--region", "regions", multiple=True, metavar="REGION", help="Where to rent; may be repeated.")
def command(account: str | None, regions: tuple[str, ...]) -> None:
    """Print the smallest AWS policy with which launcher works, as JSON.

    The settings regions, reaper_role and bucket decide what it holds. With --account nothing is asked of AWS.

    \b
    Example:
      launcher iam-policy > policy.json
      aws iam create-policy --policy-name launcher --policy-document file://policy.json
    """
    from launcher.aws.policy import make_policy
    from launcher.cli.batching import settings_here
    from launcher.cli.here import print_json
    from launcher.cli.renting import DEFAULT_REGION, make_cloud

    settings = settings_here()
    wanted = regions or settings.regions or (DEFAULT_REGION,)
    number = account or make_cloud(settings, wanted[0]).account
    print_json(make_policy(number, wanted, reaper_role=settings.reaper_role, bucket=settings.bucket))
