"""Follow a batch from the command line: live on a terminal, lines in a pipe, and what Ctrl-C means."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from launcher import steer
from launcher.cli.here import boot_id, columns, now
from launcher.cli.sending import is_live
from launcher.errors import LauncherError, MachineGoneError, ResultsNotSafeError, UsageError
from launcher.follow import LiveScreen, PlainScreen, follow
from launcher.pull import News, Puller
from launcher.report.status import status_text
from launcher.results.batch import read_batch
from launcher.results.details import read_details
from launcher.results.life import is_being_submitted
from launcher.results.place import read_place
from launcher.runner import names
from launcher.targets.places import has_machine, is_elsewhere, is_rented, node_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from launcher.errors import NodeError
    from launcher.follow import Screen
    from launcher.nodes.node import Node
    from launcher.pull import Pulled
    from launcher.results.records import BatchRecord

_SECOND_CTRL_C_S = 2.0
_RUNNER_IS_BACK_S = 300.0  # a machine starts one again that was silent for two minutes
_SHOWN = 3
_LOOK_AGAIN_S = 0.25


class Watch:
    """A batch, wherever it runs: what is new there comes home when one looks.

    Args:
        node: where it runs.
        news: brings home what is new there; None where it runs in place.
    """

    def __init__(self, batch: Path, node: Node, news: News | None) -> None:
        self.batch, self.node = batch, node
        self._news = news

    def refresh(self) -> None:
        """Bring home what is new, unless that was done a moment ago."""
        if self._news is not None:
            self._news.refresh()

    def wait_for_runner(self) -> None:
        """Wait until the batch is in its runner's hands, and what was asked of it is done."""
        steer.wait_for_runner(
            self.batch,
            now=now,
            clock=time.monotonic,
            sleep=time.sleep,
            boot_id=boot_id(),
            refresh=self.refresh_at_once,
        )

    def refresh_at_once(self) -> None:
        """Bring home what is new."""
        if self._news is not None:
            self._news.refresh(at_once=True)

    def follow(self) -> BatchRecord:
        """Show the batch until nothing more will happen to it by itself."""
        return follow(
            self.batch,
            screen=_screen(),
            now=now,
            clock=time.monotonic,
            sleep=time.sleep,
            boot_id=boot_id(),
            refresh=self.refresh,
            patience_s=_RUNNER_IS_BACK_S if has_machine(self.batch) else 0.0,
        )

    def finish(self) -> None:
        """Bring home what is left.

        Raises:
            ResultsNotSafeError: something is still not at home.
        """
        if self._news is not None:
            tell_pulled(self.batch, self._news.finish(time.sleep))


@contextmanager
def watching(batch: Path) -> Iterator[Watch]:
    """Reach the node that a batch runs on, for as long as one looks at it."""
    if has_machine(batch):
        from launcher.cli.nights import reach  # boto and paramiko, for which others need not wait

        with reach(batch) as (attendance, connection, node):
            met = partial(attendance.renew, connection)
            yield Watch(batch, node, _news(node, batch, met=met, lost=attendance.ask_after))
        return
    with node_of(batch) as node:
        yield Watch(batch, node, _news(node, batch) if is_elsewhere(batch) else None)


def _news(
    node: Node,
    batch: Path,
    *,
    met: Callable[[], None] = lambda: None,
    lost: Callable[[NodeError], None] = lambda _: None,
) -> News:
    return News(Puller(node, batch, now=now), clock=time.monotonic, tell=_tell, met=met, lost=lost)


def tell_pulled(batch: Path, pulled: Pulled) -> None:
    """Say what did not come as it should.

    Raises:
        ResultsNotSafeError: something that finished runs left is not at home.
    """
    for path in pulled.beside[:_SHOWN]:
        _tell(f"note: {path} stands beside a file that was changed here")
    for path, reason in pulled.refused[:_SHOWN]:
        _tell(f"note: not taken: {path!r}: {reason}")
    if not pulled.is_safe:
        first = pulled.missing[0]
        raise ResultsNotSafeError(
            f"{len(pulled.missing):,} files of {batch.name} are not at home; the first is {first.path}: "
            f"{first.reason}.",
            f"Try again: launcher pull {batch.name}",
        )


def follow_to_exit_code(batch: Path, *, is_new: bool = False, keep: str | None = None) -> int:
    """Follow a batch, where it `is_new` from the moment in which its runner takes it up.

    Args:
        keep: how long its machine waits for the next batch, where it has one; None ends it.

    Returns:
        0 when every run succeeded, or when it was left running; else 1.
    """
    try:
        last = _follow_to_end(batch, is_new=is_new)
    except KeyboardInterrupt:
        return _let_go(batch)
    except MachineGoneError as gone:
        return _follow_after(batch, gone, keep=keep)
    except LauncherError:
        _tell_machine(batch)
        raise
    end_if_rented(batch, keep=keep)
    return 0 if last.state == names.SUCCEEDED else 1


def end_if_rented(batch: Path, *, keep: str | None = None) -> None:
    """End the machine of a batch that is over and at home; without effect where none is rented."""
    if is_rented(batch):
        from launcher.cli.nights import end_machine

        end_machine(batch, keep=keep)


def _follow_to_end(batch: Path, *, is_new: bool) -> BatchRecord:
    _wait_until_submitted(batch)
    if is_rented(batch) and not has_machine(batch):
        return _show_without_machine(batch)
    with watching(batch) as watch:
        if is_new:
            watch.wait_for_runner()
        last = watch.follow()
        if last.state in names.OPEN:
            raise steer.no_runner(batch)
        click.echo(status_text(last, now=now(), details=read_details(last), columns=columns()), nl=False)
        watch.finish()
    return last


def _wait_until_submitted(batch: Path) -> None:
    """Wait for whoever brings the batch to where it runs, in another terminal.

    Raises:
        UsageError: that came to nothing, and the batch is gone.
    """
    if is_being_submitted(str(batch)):
        _tell(f"{batch.name} is still being submitted.")
    while is_being_submitted(str(batch)):
        time.sleep(_LOOK_AGAIN_S)
    if not batch.exists():
        raise UsageError(f"{batch.name} is gone: its submit came to nothing.", "See what that said.")


def _show_without_machine(batch: Path) -> BatchRecord:
    """Show a batch to which nothing more happens until it is resumed.

    Raises:
        UsageError: some of its runs have not ended.
    """
    record = read_batch(batch, now=now(), boot_id=boot_id())
    click.echo(status_text(record, now=now(), details=read_details(record), columns=columns()), nl=False)
    if record.state in names.OPEN | {names.INTERRUPTED}:
        raise UsageError(f"{batch.name} has no machine now.", f"Go on: launcher resume {batch.name}")
    return record


def _follow_after(batch: Path, gone: MachineGoneError, *, keep: str | None) -> int:
    from launcher.cli.nights import after_machine

    is_going_on = after_machine(batch, gone)
    return follow_to_exit_code(batch, is_new=is_going_on, keep=keep)


def _screen() -> Screen:
    if is_live():
        return LiveScreen()
    return PlainScreen(_tell)


def _tell(line: str) -> None:
    from launcher.report.text import clean

    click.echo(clean(line), err=True)


def _tell_machine(batch: Path) -> None:
    """Say what of a batch is still rented, what that costs, and when and how it ends."""
    place = read_place(batch)
    if place and (machine := place.current):
        _tell(
            f"{machine.machine} ({machine.type}, {machine.region}) is there, at ${machine.usd_per_hour:.2f} "
            f"an hour; it ends by itself at {machine.expires_at}. "
            f"End it now: launcher reap --yes {machine.machine}"
        )


def _let_go(batch: Path) -> int:
    try:
        click.echo(f"\nLeft running. Come back: launcher attach {batch.name}", err=True)
        _tell_machine(batch)
        click.echo(f"Ctrl-C again within {_SECOND_CTRL_C_S:g} s stops the batch.", err=True)
        time.sleep(_SECOND_CTRL_C_S)
    except KeyboardInterrupt:
        return _stop(batch)
    return 0


def _stop(batch: Path) -> int:
    click.echo("Stopping; runs get 10 s to end.", err=True)
    with watching(batch) as watch:
        steer.cancel(watch.node, batch.name)
        watch.follow()
        watch.finish()
    end_if_rented(batch)
    click.echo(f"Stopped. Go on: launcher resume {batch.name}", err=True)
    return 130
