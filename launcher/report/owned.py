"""What is rented, as a table and as JSON. Pure: it is told what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.report.text import clean, local_time, plural, span, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

MACHINE, DISK, SCHEDULE, GROUP, KEY, LAUNCH = "machine", "disk", "schedule", "group", "key", "launch"
FREE = frozenset({SCHEDULE, GROUP, KEY, LAUNCH})


@dataclass(frozen=True, slots=True)
class Owned:
    """Something of ours on AWS.

    Attributes:
        what: a machine's type, a disk's size.
        usd_per_hour: None where it is not known.
        deadline: when it ends by itself; None is never.
        lease: how long a machine with nothing to do waits for home; empty where that is not known.
        wrong: why it should not be there; empty where it may.
        note: what to do about it where reap alone does nothing.
    """

    kind: str
    id: str
    region: str
    what: str = ""
    market: str = ""
    state: str = ""
    usd_per_hour: float | None = None
    since: datetime | None = None
    deadline: datetime | None = None
    lease: str = ""
    batch: str = ""
    wrong: str = ""
    note: str = ""


def owned_lines(rows: Sequence[Owned], *, now: datetime, zone: tzinfo | None = None) -> list[str]:
    """Return a line for each thing, then what all of it costs."""
    shown = [_cells(row, now, zone) for row in rows]
    lines = table([_HEAD, *shown], indent="", right=[4]) if rows else []
    return [*lines, *_notes(rows), _sum(rows)]


def owned_json(rows: Sequence[Owned]) -> list[dict[str, Any]]:
    """Return the same for scripts; times in UTC."""
    return [
        {
            "kind": row.kind,
            "id": row.id,
            "region": row.region,
            "type": row.what,
            "market": row.market,
            "state": row.state,
            "usd_per_hour": row.usd_per_hour,
            "since": row.since.isoformat() if row.since else None,
            "deadline": row.deadline.isoformat() if row.deadline else None,
            "lease": row.lease or None,
            "batch": row.batch or None,
            "wrong": row.wrong or None,
            "note": row.note or None,
        }
        for row in rows
    ]


_HEAD = ("", "ID", "WHAT", "WHERE", "USD/H", "AGE", "ENDS", "LEASE", "BATCH")


def _cells(row: Owned, now: datetime, zone: tzinfo | None) -> tuple[str, ...]:
    what = " ".join(filter(None, (row.what, row.market, row.state)))
    return tuple(
        clean(cell)
        for cell in (
            row.kind,
            row.id,
            what,
            row.region,
            _price(row),
            span((now - row.since).total_seconds()) if row.since else "",
            local_time(row.deadline, now=now, zone=zone) if row.deadline else "",
            row.lease,
            row.batch,
        )
    )


def _price(row: Owned) -> str:
    if row.kind in FREE:
        return ""
    return "?" if row.usd_per_hour is None else f"{row.usd_per_hour:.3f}"


def _notes(rows: Sequence[Owned]) -> list[str]:
    return [
        clean(f"{row.id}: {'. '.join(filter(None, (row.wrong, row.note)))}.")
        for row in rows
        if row.wrong or row.note
    ]


def _sum(rows: Sequence[Owned]) -> str:
    machines = [row for row in rows if row.kind == MACHINE]
    disks = [row for row in rows if row.kind == DISK]
    if not machines and not disks:
        return "Nothing that costs anything."
    usd = sum(row.usd_per_hour or 0 for row in rows)
    unknown = ", and what has no known price" if any(row.usd_per_hour is None for row in machines) else ""
    return f"{plural(len(machines), 'machine')}, {plural(len(disks), 'disk')}: ${usd:.3f} an hour{unknown}."
