"""launcher rehearse."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import click

from launcher.cli.options import files_options
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from launcher.rehearse import Rehearsed


@click.command(short_help="Try every job once for one batch of one epoch, on this CPU.")
@files_options
@click.option("--limit", default="2m", show_default=True, help="The longest that one job may take.")
def command(files: tuple[Path, ...], overrides: tuple[str, ...], limit: str) -> int:
    """Try every job once: its first variant, one batch of one epoch, on this CPU.

    It runs in a folder that is thrown away, and says what would have failed at three in the morning. The exit
    code is 1 when some job would have.

    \b
    Example:
      launcher rehearse jobs/*.yaml
    """
    from launcher.cli.batching import prepare
    from launcher.cli.here import boot_id, now
    from launcher.rehearse import rehearse
    from launcher.report.text import plural
    from launcher.settings.home import make_home
    from launcher.spec.quantities import parse_duration_s

    limit_s = parse_duration_s(limit)
    _end_as_by_ctrl_c()
    prepared = prepare(files, overrides=overrides, on="local", cpu=True)
    found = rehearse(
        prepared.draft,
        environments=make_home(prepared.home) / names.ENVIRONMENTS if prepared.draft.requirements else None,
        limit_s=limit_s,
        random=random.Random(),  # noqa: S311 - it names a folder
        now=now,
        clock=time.monotonic,
        sleep=time.sleep,
        boot_id=boot_id(),
    )
    good = [_tell(job) for job in found]
    click.echo(f"{sum(good)} of {plural(len(good), 'job')} passed")
    return 0 if all(good) else 1


def _end_as_by_ctrl_c() -> None:
    """Leave nothing running and no folder, however one is told to end; what nohup ignores stays ignored."""
    numbers = {getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGHUP")}  # Windows has one
    heard = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in heard:  # a terminal that closes says so twice, and the second must not cut this short
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, end)


def _tell(job: Rehearsed) -> bool:
    from launcher.report.text import clean

    if job.state == names.SUCCEEDED:
        history = "history seen" if job.epochs else "no Keras fit seen: there will be no history"
        click.echo(f"{click.style('ok', fg='green')}    {job.job}  {job.seconds:.1f} s, {history}")
        return True
    if job.state == names.TIMED_OUT:
        said = f"nothing had failed after {job.seconds:.0f} s"
        click.echo(f"{click.style('long', fg='yellow')}  {job.job}  {said}")
        return True
    click.echo(f"{click.style('fails', fg='red')} {job.job}  {clean(job.reason or job.state)}")
    for line in job.last_lines:
        click.echo(f"      {clean(line)}")
    return False
