"""Follow a batch from the command line: live on a terminal, lines in a pipe, and what Ctrl-C means."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from launcher import steer
from launcher.cli.here import boot_id, columns, now
from launcher.follow import LiveScreen, PlainScreen, follow
from launcher.nodes.local import LocalNode
from launcher.report.status import status_text
from launcher.results.details import read_details
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.follow import Screen
    from launcher.results.records import BatchRecord

_SECOND_CTRL_C_S = 2.0


def wait_for_runner(batch: Path) -> BatchRecord:
    """Wait until a batch is in its runner's hands, and what was asked of it is done."""
    return steer.wait_for_runner(batch, now=now, clock=time.monotonic, sleep=time.sleep, boot_id=boot_id())


def follow_to_exit_code(batch: Path, *, is_new: bool = False) -> int:
    """Follow a batch, where it `is_new` from the moment in which its runner takes it up.

    Returns:
        0 when every run succeeded, or when it was left running; else 1.
    """
    try:
        if is_new:
            wait_for_runner(batch)
        last = _follow(batch)
    except KeyboardInterrupt:
        return _let_go(batch)
    click.echo(status_text(last, now=now(), details=read_details(last), columns=columns()), nl=False)
    return 0 if last.state == names.SUCCEEDED else 1


def _follow(batch: Path) -> BatchRecord:
    return follow(batch, screen=_screen(), now=now, clock=time.monotonic, sleep=time.sleep, boot_id=boot_id())


def _screen() -> Screen:
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return LiveScreen()
    return PlainScreen(lambda line: click.echo(line, err=True))


def _let_go(batch: Path) -> int:
    try:
        click.echo(f"\nLeft running. Come back: launcher attach {batch.name}", err=True)
        click.echo(f"Ctrl-C again within {_SECOND_CTRL_C_S:g} s stops the batch.", err=True)
        time.sleep(_SECOND_CTRL_C_S)
    except KeyboardInterrupt:
        return _stop(batch)
    return 0


def _stop(batch: Path) -> int:
    click.echo("Stopping; runs get 10 s to end.", err=True)
    steer.cancel(LocalNode(batch.parent.parent), batch.name)
    _follow(batch)
    click.echo(f"Stopped. Go on: launcher resume {batch.name}", err=True)
    return 130
