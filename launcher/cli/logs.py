"""launcher logs."""

from __future__ import annotations

import codecs
import sys
import time
from typing import TYPE_CHECKING

import click

from launcher.cli.options import complete_run

if TYPE_CHECKING:
    from collections.abc import Callable
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
    from launcher.targets.places import is_elsewhere

    found = find_run(home_or_fail(), run)
    if not follow or not is_elsewhere(found.batch):
        _copy_log(found.batch, found.run, follow=follow)
        return
    from launcher.cli.following import watching

    with watching(found.batch) as watch:
        watch.refresh_at_once()
        _copy_log(found.batch, found.run, follow=True, refresh=watch.refresh)


def _copy_log(batch: Path, run: str, *, follow: bool, refresh: Callable[[], None] = lambda: None) -> None:
    from launcher.results.log import LogTail
    from launcher.runner import names

    tail = LogTail(batch / names.RUNS / run / names.LOG)
    output = _Terminal() if sys.stdout.isatty() else _Pipe()
    while True:
        is_over = not follow or _is_over(batch, run)  # asked before reading, so that no last line is missed
        while content := tail.read_new():
            output.write(content)
        output.flush()
        if is_over:
            return
        time.sleep(_EVERY_S)
        refresh()


class _Pipe:
    """Takes a log byte for byte."""

    def write(self, content: bytes) -> None:
        sys.stdout.buffer.write(content)

    def flush(self) -> None:
        sys.stdout.buffer.flush()


class _Terminal:
    """Takes a log as text. A terminal obeys what it is sent, so control codes never reach it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""  # the begin of a line, or of a control code, whose end is not there yet

    def write(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + self._decoder.decode(content)).split("\n")
        for line in lines:
            self._show(line + "\n")

    def flush(self) -> None:
        self._show(self._rest)
        self._rest = ""

    def _show(self, line: str) -> None:
        from launcher.report.text import clean

        text = line.removesuffix("\n").rstrip("\r")
        # Of a line that was written over again and again, as a progress bar is, the last state counts.
        click.echo(clean(text.rpartition("\r")[2]), nl=line.endswith("\n"))


def _is_over(batch: Path, run: str) -> bool:
    from launcher.cli.here import boot_id, now
    from launcher.results.life import look_at_runner
    from launcher.results.states import read_states
    from launcher.runner import names

    # The runner first: what a dead one left does not change any more.
    is_alive = look_at_runner(str(batch), now=now(), boot_id=boot_id()).alive
    state = read_states(str(batch), [run]).get(run, {}).get("state")
    return not is_alive or state in names.ENDED
