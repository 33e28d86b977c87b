"""From command line to draft: settings, home and target, built once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from launcher.draft import Draft, Wishes, make_draft
from launcher.errors import UsageError
from launcher.settings.home import choose_home
from launcher.settings.load import load_settings
from launcher.targets.local import LocalTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.settings.known import Settings
    from launcher.targets.target import Target

_PLACES = ("local", "ec2", "ssh:HOST")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft, where its batch will lie, and where it will run."""

    draft: Draft
    home: Path
    target: Target
    settings: Settings


def prepare(
    files: Sequence[Path],
    *,
    overrides: Sequence[str],
    on: str | None = None,
    needed: bool = False,
    slots: int | None = None,
    cpu: bool = False,
    keep: str | None = None,
    wait: str | None = None,
) -> Prepared:
    """Plan what the command line asks for; writes nothing.

    Raises:
        UsageError: something asked for is not right.
    """
    settings = settings_here(on=on, slots=slots)
    home = choose_home(Path.cwd(), first_job_file=files[0])
    target = make_target(settings, home, keep=keep, wait=wait)
    wishes = Wishes(tuple(overrides), needed=needed, slots=settings.slots, cpu=cpu)
    draft = make_draft(files, wishes=wishes, home=home if home.exists() else None, target=target)
    return Prepared(draft, home, target, settings)


def settings_here(**flags: object) -> Settings:
    """Return the settings that hold in this folder; flags that are None say nothing.

    Raises:
        UsageError: a setting is unknown or of the wrong kind.
    """
    return load_settings(
        Path.cwd(),
        user_file=Path(platformdirs.user_config_dir("launcher"), "config.toml"),
        environ=os.environ,
        flags={key: value for key, value in flags.items() if value is not None},
    )


def make_target(
    settings: Settings, home: Path, *, keep: str | None = None, wait: str | None = None
) -> Target:
    """Return the target that settings name."""
    on = settings.on
    if on == "local":
        return LocalTarget(home)
    if on == "ec2":
        from launcher.cli.renting import make_ec2_target  # boto is a third of a second

        return make_ec2_target(settings, home, keep=keep, wait=wait)
    if on.startswith("ssh:"):
        from launcher.targets.ssh import SshTarget

        return SshTarget(on)
    raise UsageError(f"There is no place {on!r}.", f"Write one of: {', '.join(_PLACES)}.")
