"""Find a batch here, else on a machine of the same account that another computer rented, or on its disk."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.cli.here import home_or_fail
from launcher.errors import AwsError, UsageError
from launcher.results.find import find_batch
from launcher.settings.home import choose_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from launcher.settings.known import Settings
    from launcher.targets.ec2_rent import Terms

    # Asks AWS for a batch that is not here. Returns: what makes it one of this home, if there is one.
    _Bring = Callable[[Terms, Iterable[str], str], Callable[[], Path] | None]

# Nothing else is asked for at AWS: a word that was mistyped is told at once.
_BATCH_ID = re.compile(r"[0-9]{8}-[0-9]{4}")


def find_anywhere(prefix: str | None) -> Path:
    """Return the folder of a batch; one that only its machine knows is brought here first.

    Raises:
        UsageError: there is none, or several have that prefix.
        NodeError: there is a machine, and no way in.
    """

    def bring(terms: Terms, regions: Iterable[str], wanted: str) -> Callable[[], Path] | None:
        from launcher.join import find_running, join

        machine = find_running(wanted, terms, regions)
        return None if machine is None else lambda: join(machine, terms)

    return _find(prefix, bring)


def find_recoverable(prefix: str | None) -> Path:
    """Return the folder of a batch; one that only a kept disk knows gets one here.

    Raises:
        UsageError: there is none, or several have that prefix.
    """

    def bring(terms: Terms, regions: Iterable[str], wanted: str) -> Callable[[], Path] | None:
        from launcher.adopt import adopt, find_adopted, find_kept_disk

        if (
            begun := find_adopted(wanted, terms)
        ) is not None:  # its disk may hang on the machine that reads it
            return lambda: begun
        volume = find_kept_disk(wanted, terms, regions)
        return None if volume is None else lambda: adopt(volume, terms)

    return _find(prefix, bring)


def _find(prefix: str | None, bring: _Bring) -> Path:
    if prefix is None or not _BATCH_ID.match(prefix):
        return find_batch(home_or_fail(), prefix)
    here = Path.cwd()
    home = choose_home(here, first_job_file=here / "job")
    try:
        return find_batch(home, prefix)
    except UsageError as unknown:
        if "begin with" in unknown.what:  # there are several here
            raise
        batch = _ask_aws(prefix, bring)
        if batch is None:
            raise
        return batch


def _ask_aws(prefix: str, bring: _Bring) -> Path | None:
    from launcher.cli.batching import settings_here  # boto, for which others need not wait
    from launcher.cli.renting import make_terms
    from launcher.settings.home import make_home

    here, settings = Path.cwd(), settings_here()
    terms = make_terms(settings, choose_home(here, first_job_file=here / "job"))
    try:
        brought = bring(terms, _regions(settings, terms), prefix)
    except AwsError as error:
        terms.tell(f"note: whether another computer submitted {prefix} can't be asked: {error.what}")
        return None
    if brought is None:
        return None
    make_home(terms.home)
    return brought()


def _regions(settings: Settings, terms: Terms) -> Iterable[str]:
    from launcher.aws.regions import regions_to_look_at
    from launcher.cli.renting import DEFAULT_REGION

    default = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    return regions_to_look_at(terms.home, settings=settings.regions, default=default)
