"""launcher resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from launcher.cli.options import batch_option
from launcher.runner import names

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.results.records import BatchRecord


@click.command(short_help="Go on with a batch that was stopped or interrupted.")
@batch_option
@click.option("--failed", is_flag=True, help="Run failed runs again as well.")
@click.option("--detach", is_flag=True, help="Leave the batch running.")
def command(batch: str | None, failed: bool, detach: bool) -> int:
    """Run what is queued, interrupted, cancelled, stalled or timed out; finished runs stay as they are.

    \b
    Example:
      launcher resume --failed
    """
    from launcher.cli.following import end_if_rented, watching
    from launcher.cli.here import boot_id, home_or_fail, now
    from launcher.errors import UsageError
    from launcher.results.batch import read_batch
    from launcher.results.find import find_batch
    from launcher.results.life import is_being_submitted
    from launcher.results.plan_file import read_environments
    from launcher.steer import resume
    from launcher.targets.places import is_rented

    folder = find_batch(home_or_fail(), batch)
    if is_being_submitted(str(folder)):
        raise UsageError(
            f"{folder.name} is still being submitted.", f"Watch it: launcher attach {folder.name}"
        )
    if is_rented(folder):
        from launcher.cli.nights import find_machine_again

        if find_machine_again(folder, failed=failed):
            return _leave_or_follow(folder, detach=detach)
    with watching(folder) as watch:
        watch.refresh_at_once()
        record = read_batch(folder, now=now(), boot_id=boot_id())
        if has_work := _has_work(record, failed=failed):
            resume(watch.node, folder.name, environments=read_environments(folder), failed=failed)
            watch.wait_for_runner()
        else:
            click.echo(_nothing_to_do(record), err=True)
            watch.finish()
    if has_work:
        return _leave_or_follow(folder, detach=detach)
    end_if_rented(folder)  # who followed it before did not come to that
    return 0


def _leave_or_follow(folder: Path, *, detach: bool) -> int:
    from launcher.cli.following import follow_to_exit_code

    if not detach:
        return follow_to_exit_code(folder)
    click.echo(folder.name)
    return 0


def _has_work(record: BatchRecord, *, failed: bool) -> bool:
    wanted = names.RESUMABLE | names.OPEN | ({names.FAILED} if failed else set())
    # A runner that was killed at its very end has left the manifest, or tidying up, to the next one.
    is_tidy = (record.folder / names.MANIFEST).exists() and not (record.folder / names.BALLAST).exists()
    return not is_tidy or any(run.state in wanted for run in record.runs)


def _nothing_to_do(record: BatchRecord) -> str:
    count = sum(run.state == names.FAILED for run in record.runs)
    if not count:
        return f"Nothing to do: {record.id} has succeeded."
    return f"Nothing to do: {record.id} has only failed runs left, {count:,}. To run them again: --failed."
