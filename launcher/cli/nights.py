"""What the command line does for a batch on a rented machine, beside showing it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from launcher.attend import Attendance, end_night
from launcher.cli.batching import make_target, settings_here
from launcher.cli.here import now
from launcher.cli.renting import make_terms
from launcher.cli.sending import sending_bar
from launcher.errors import MachineGoneError, SshError
from launcher.go_on import go_on
from launcher.pull import Puller
from launcher.recover import recover
from launcher.report.text import clean
from launcher.results.batch import read_batch
from launcher.results.place import read_place
from launcher.runner import names
from launcher.stored import pull_stored
from launcher.targets.ec2_open import known_machine, open_known
from launcher.targets.places import has_machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.nodes.node import Node
    from launcher.nodes.ssh_connection import Connection
    from launcher.pull import Pulled
    from launcher.targets.ec2_rent import Terms

_ASK_S = 60.0


def pull_from_bucket(batch: Path) -> Pulled | None:
    """Bring home what the bucket of the settings has of a batch whose machine is gone; None without one."""
    bucket, place = settings_here().bucket, read_place(batch)
    if not bucket or place is None or place.last is None:
        return None
    cloud = terms_of(batch).cloud_of(place.last.region)
    return pull_stored(batch, cloud=cloud, bucket=bucket, now=now())


@contextmanager
def reach(batch: Path) -> Iterator[tuple[Attendance, Connection, Node]]:
    """Reach the machine of a batch.

    Raises:
        MachineGoneError: it is gone.
        SshError: it does not answer.
    """
    attendance = Attendance(known_machine(batch), terms_of(batch))
    try:
        with open_known(batch) as (connection, node):
            yield attendance, connection, node
    except SshError as error:
        attendance.ask_after(error)
        raise


def terms_of(batch: Path, *, keep: str | None = None) -> Terms:
    """Return how the machines of a batch are rented."""
    return make_terms(settings_here(), batch.parent.parent, keep=keep)


def end_machine(batch: Path, *, keep: str | None = None) -> None:
    """End the machine of a batch that is over and at home, and say what it cost."""
    click.echo(clean(end_night(batch, terms_of(batch, keep=keep))), err=True)


def find_machine_again(batch: Path, *, failed: bool) -> bool:
    """See that a batch that is to be resumed is on a machine: the one that it had, else another one.

    Returns:
        whether it goes on already, since it had to be brought there.
    """
    if has_machine(batch):
        try:
            with reach(batch) as (_, _, node):
                is_there = _is_brought(batch, node)
        except MachineGoneError as gone:
            click.echo(clean(gone.what), err=True)
        else:
            if not is_there:  # who submitted it was killed on the way
                _go_on(batch, failed=failed)
            return not is_there
    terms = terms_of(batch)
    if read_place(batch):
        recover(batch, terms)
    if not _has_work(batch, failed=failed):
        return False
    _go_on(batch, failed=failed)
    return True


def after_machine(batch: Path, gone: MachineGoneError) -> bool:
    """Bring home what a machine that is gone left on its disk, and get another one for what spot cut off.

    Returns:
        whether the batch goes on.
    """
    click.echo(clean(gone.what), err=True)
    recover(batch, terms_of(batch))
    if not gone.is_spot or not _has_work(batch, failed=False):
        return False
    click.echo("Going on with what is left on another machine.", err=True)
    _go_on(batch, failed=False)
    return True


def _go_on(batch: Path, *, failed: bool) -> None:
    target = make_target(settings_here(on="ec2"), batch.parent.parent)
    with sending_bar() as progress:
        go_on(batch, target, tell=_tell, progress=progress, failed=failed)
    with reach(batch) as (_, _, node):
        Puller(node, batch, now=now).pull()


def _is_brought(batch: Path, node: Node) -> bool:
    """Tell whether a batch is on its machine whole; how it is started is the last thing that comes there."""
    start = node.home / names.BATCHES / batch.name / names.START
    return node.run(["test", "-e", str(start)], timeout_s=_ASK_S).exit_code == 0


def _tell(line: str) -> None:
    click.echo(clean(line), err=True)


def _has_work(batch: Path, *, failed: bool) -> bool:
    record = read_batch(batch, now=now(), boot_id=None)
    wanted = names.RESUMABLE | names.OPEN | ({names.FAILED} if failed else set())
    return any(run.state in wanted for run in record.runs)
