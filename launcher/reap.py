"""What is ours on AWS, what of it should not be there, and its end.

Everything is found by tag alone. What this computer knows beside that (a launch that was cut off, results
that are verified at home) can only add reasons. A disk that may hold results nobody has seen is never among
what should not be there: it goes only where the user names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from launcher.aws import machines
from launcher.aws.catalogue import GP3_USD_PER_GB_HOUR, list_price, machine_types
from launcher.aws.intent import CLOSED, OPEN, intent_of, read_intents
from launcher.aws.schedules import delete_schedule
from launcher.aws.security import delete_group
from launcher.aws.settle import abandon
from launcher.aws.sweep import sweep
from launcher.aws.tags import ATTEMPT, BATCH, KEEP, PRICE
from launcher.aws.volumes import AVAILABLE, delete_when_free
from launcher.errors import AwsError, UsageError
from launcher.report.owned import DISK, GROUP, KEY, LAUNCH, MACHINE, SCHEDULE, Owned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from launcher.aws.intent import Attempt, Intent, Record
    from launcher.aws.machines import Machine
    from launcher.aws.schedules import Schedule
    from launcher.aws.sweep import Small, Sweep
    from launcher.aws.volumes import Volume

_GRACE = timedelta(minutes=5)  # a machine needs a while to end itself


@dataclass(frozen=True, slots=True)
class Found:
    """What there is, and what could not be looked at."""

    rows: tuple[Owned, ...]
    unseen: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Owned, ...]:
        """What should not be there."""
        return tuple(row for row in self.rows if row.wrong)


def look(
    cloud_of: Callable[[str], Cloud],
    regions: Iterable[str],
    *,
    home: Path | None,
    owner: str | None,
    now: datetime,
) -> Found:
    """Find everything that is ours.

    Args:
        home: the folder `.launcher`, if there is one here.
        owner: whose things; None is everybody's.

    Raises:
        AwsError: AWS can't be asked.
    """
    swept = sweep(cloud_of, regions, owner=owner)
    intents, damaged = read_intents(home) if home else ((), ())
    return Found(_rows(swept, intents, now=now), swept.unseen + damaged)


def choose(found: Found, named: Sequence[str]) -> tuple[Owned, ...]:
    """Return what is to be ended: what should not be there, and what is named by id or by batch.

    A batch stands for its machines and schedules, not for its disks.

    Raises:
        UsageError: a name is of nothing that was found.
    """
    for name in named:
        if not any(_is_meant(row, name) for row in found.rows):
            raise UsageError(f"There is nothing of mine called {name}.", "See what there is: launcher ps.")
    return tuple(row for row in found.rows if row.wrong or any(_is_meant(row, name) for name in named))


def carry_out(
    rows: Sequence[Owned],
    cloud_of: Callable[[str], Cloud],
    *,
    home: Path | None,
    tell: Callable[[str], None],
) -> tuple[Owned, ...]:
    """End things, machines first. Returns: what is still there."""
    order = (LAUNCH, MACHINE, DISK, SCHEDULE, GROUP, KEY)
    left = []
    for row in sorted(rows, key=lambda row: order.index(row.kind)):
        try:
            is_gone = _end(row, cloud_of, home)
        except (AwsError, UsageError) as error:
            tell(f"{row.id}: {error.what} {error.todo}")
            is_gone = False
        tell(f"{row.id} is {'gone' if is_gone else 'still there'}.")
        left += [] if is_gone else [row]
    _close_intents({row.batch for row in rows} - {row.batch for row in left}, home)
    return tuple(left)


def _rows(swept: Sweep, intents: Sequence[Intent], *, now: datetime) -> tuple[Owned, ...]:
    records = {intent.record.batch: intent.record for intent in intents}
    attempts = {intent.record.batch: intent.record.attempt for intent in intents if intent.is_cut_off}
    alive = {machine.id for machine in swept.machines}
    rented = [_machine_row(machine, records.get(machine.batch), now) for machine in swept.machines]
    doomed = {row.id for row in rented if row.wrong}
    return (
        *(_launch_row(batch, attempt) for batch, attempt in attempts.items() if attempt),
        *rented,
        *(_disk_row(disk, records.get(disk.batch), doomed) for disk in swept.volumes),
        *(_schedule_row(schedule, alive) for schedule in swept.schedules),
        *(_small_row(small) for small in swept.small),
    )


def _launch_row(batch: str, attempt: Attempt) -> Owned:
    return Owned(
        kind=LAUNCH,
        id=batch,
        region=attempt.region,
        what=attempt.type,
        market=attempt.market,
        state=OPEN,
        since=datetime.fromisoformat(attempt.at),
        deadline=datetime.fromisoformat(attempt.expires_at),
        batch=batch,
        wrong="Its launch was cut off",
    )


def _machine_row(machine: Machine, record: Record | None, now: datetime) -> Owned:
    return Owned(
        kind=MACHINE,
        id=machine.id,
        region=machine.region,
        what=machine.type,
        market=machine.market,
        state=machine.state,
        usd_per_hour=_price_of(machine),
        since=machine.launched_at,
        deadline=machine.expires_at,
        lease=machine.tags.get(KEEP, ""),
        batch=machine.batch,
        wrong="" if machine.is_ending else _wrong_with_machine(machine, record, now),
    )


def _wrong_with_machine(machine: Machine, record: Record | None, now: datetime) -> str:
    if machine.expires_at is None:
        return "It has no deadline"
    if now > machine.expires_at + _GRACE:
        return "It is past its deadline"
    if machine.state in (machines.STOPPING, machines.STOPPED):
        return "It is stopped, which launcher never does"
    if record is None or not _is_of(machine.tags, machine.id, record):
        return ""
    if record.are_results_home:
        return "Its results are home"
    return "Its batch is closed" if record.state == CLOSED else ""


def _is_of(tags: Mapping[str, str], machine_id: str, record: Record) -> bool:
    """Whether a record speaks of this machine, and not of one that the batch had before or after."""
    current = record.current_token
    return (bool(current) and tags.get(ATTEMPT) == current) or (
        record.state == CLOSED and machine_id in record.machines
    )


def _price_of(machine: Machine) -> float | None:
    try:
        return float(machine.tags[PRICE])
    except (KeyError, ValueError):
        kind = machine_types().get(machine.type)
        price = list_price(kind, machine.region) if kind else None
        return price.usd_per_hour if price else None


def _disk_row(disk: Volume, record: Record | None, doomed: set[str]) -> Owned:
    is_free = disk.state == AVAILABLE
    is_home = record is not None and record.are_results_home and _is_of(disk.tags, "", record)
    return Owned(
        kind=DISK,
        id=disk.id,
        region=disk.region,
        what=f"{disk.size_gb} GB",
        state=disk.state,
        # A machine's own disk stands in the price of the machine.
        usd_per_hour=disk.size_gb * GP3_USD_PER_GB_HOUR if is_free else 0.0,
        since=disk.created_at,
        batch=disk.batch,
        wrong="Its results are home" if is_home and (is_free or disk.machine in doomed) else "",
        note=_recover(disk) if is_free and not is_home else "",
    )


def _recover(disk: Volume) -> str:
    return f"It may hold results: launcher recover {disk.batch}, or delete it: launcher reap --yes {disk.id}"


def _schedule_row(schedule: Schedule, alive: set[str]) -> Owned:
    is_idle = schedule.machine not in alive
    return Owned(
        kind=SCHEDULE,
        id=schedule.name,
        region=schedule.region,
        what=f"ends {schedule.machine}",
        deadline=schedule.at,
        wrong="Its machine is gone" if is_idle else "",
    )


def _small_row(small: Small) -> Owned:
    return Owned(kind=small.kind, id=small.id, region=small.region, batch=small.tags.get(BATCH, ""))


def _is_meant(row: Owned, name: str) -> bool:
    return row.id == name or (row.batch == name and row.kind in (MACHINE, SCHEDULE, LAUNCH))


def _end(row: Owned, cloud_of: Callable[[str], Cloud], home: Path | None) -> bool:
    cloud = cloud_of(row.region)
    match row.kind:
        case "launch":
            return _abandon(row.batch, cloud_of, home)
        case "machine":
            return not machines.end(cloud, [row.id], seen=True)
        case "disk":
            return delete_when_free(cloud, row.id)
        case "schedule":
            delete_schedule(cloud, row.id)
        case "group":
            return delete_group(cloud, row.id)
        case _:
            cloud.call("ec2", "DeleteKeyPair", KeyName=row.id)
    return True


def _abandon(batch: str, cloud_of: Callable[[str], Cloud], home: Path | None) -> bool:
    intent = intent_of(home, batch) if home else None
    return intent is None or not abandon(cloud_of, intent, why="reaped")


def _close_intents(batches: set[str], home: Path | None) -> None:
    """Close what was open only for results that are home now, and of which nothing is left."""
    for intent in read_intents(home)[0] if home else ():
        record = intent.record
        if record.batch in batches and record.are_results_home and record.state != CLOSED:
            intent.close("reaped")
