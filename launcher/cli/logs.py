"""launcher logs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from launcher.cli.options import complete_run

if TYPE_CHECKING:
    from pathlib import Path

_EVERY_S = 0.2


@click.command(short_help="Show or follow the log of a run.")
@click.argument("run", shell_complete=complete_run)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
def command(run: str, follow: bool) -> None:
    """Show the log of a run, by any unique beginning of its id, or as BATCH/RUN.

    \b
    Example:
      launcher logs sonar-dropout-0003 -f
    """
    from launcher.cli.here import home_or_fail
    from launcher.results.find import find_run

    found = find_run(home_or_fail(), run)
    _copy_log(found.batch, found.run, follow=follow)


def _copy_log(batch: Path, run: str, *, follow: bool) -> None:
    from launcher.results.log import LogTail
    from launcher.runner import names

    tail = LogTail(batch / names.RUNS / run / names.LOG)
    while True:
        is_over = not follow or _is_over(batch, run)  # asked before reading, so that no last line is missed
        while content := tail.read_new():
            _write(content)
        if is_over:
            return
        time.sleep(_EVERY_S)


def _write(content: bytes) -> None:
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    from launcher.report.text import clean

    # A terminal obeys what it is sent, so a log's control codes never reach it.
    lines = content.decode("utf-8", "replace").split("\n")
    click.echo("\n".join(clean(line.rstrip("\r").rpartition("\r")[2]) for line in lines), nl=False)


def _is_over(batch: Path, run: str) -> bool:
    from launcher.cli.here import boot_id, now
    from launcher.results.batch import read_batch
    from launcher.runner import names

    record = read_batch(batch, now=now(), boot_id=boot_id())
    state = next(each.state for each in record.runs if each.id == run)
    return state in names.ENDED or (state == names.QUEUED and not record.runner.alive)
