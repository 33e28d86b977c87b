"""The page that `status` prints: what a batch is, what it does now, what went wrong, what to do next.

However many runs there are, it stays a page. Its values are given; it reads no file and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.report.counts import count_by_job, count_runs, describe_runs, state_text
from launcher.report.estimate import duration_s, estimate
from launcher.report.running import running_lines
from launcher.report.text import bar, clean, columns_of, cut, local_time, plural, span, table, wrap
from launcher.results.details import FAILED, NOTHING, Details
from launcher.results.files import parse_time
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, tzinfo

    from launcher.report.estimate import Estimate
    from launcher.results.records import BatchRecord, RunRecord

SHOWN = 10


def status_text(
    batch: BatchRecord,
    *,
    now: datetime,
    details: Details = NOTHING,
    zone: tzinfo | None = None,
    columns: int = 100,
) -> str:
    """Return the page of a batch.

    Args:
        batch: as it was read.
        now: the time, with its zone.
        details: what running and failed runs say of themselves.
        zone: in which times are shown; None is this computer's.
        columns: longer lines are cut.
    """
    left = estimate(batch, now, details=details)
    blocks = (
        _header(batch, left, now, zone),
        _jobs(batch),
        _running(running_lines(batch, left, details=details, now=now, columns=columns)),
        _failed(batch, details, columns),
        _unfinished(batch),
        _early(batch),
        _notes([*(_plain(*each) for each in details.plain), *map(_cold, details.cold)], columns),
        _notes(batch.notes, columns),
        _next(batch),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def times(batch: BatchRecord, left: Estimate, *, now: datetime, zone: tzinfo | None) -> str:
    """Return when a batch started, for how long it ran, and how long it may still take."""
    started, created = parse_time(batch.started_at), parse_time(batch.created_at)
    if started is None:
        submitted = f"submitted {local_time(created, now=now, zone=zone)}, " if created else ""
        return f"{submitted}not started"
    said = f"started {local_time(started, now=now, zone=zone)}"
    ended = parse_time(batch.ended_at)
    if batch.state in {names.RUNNING, names.QUEUED}:
        to_go = "" if left.batch_s is None else f", about {span(left.batch_s)} to go"
        return f"{said}, {span(max(0.0, (now - started).total_seconds()))} ago{to_go}"
    if ended is None:
        return said
    took = span(max(0.0, (ended - started).total_seconds()))
    last = "its last run " if batch.state == names.INTERRUPTED else ""
    return f"{said}, {last}ended {local_time(ended, now=now, zone=zone)} after {took}"


def why(run: RunRecord) -> str:
    """Return why a run ended as it did."""
    said = clean(run.reason) if run.reason else ""
    if run.exit_code is not None:
        return said or f"exit code {run.exit_code}"
    return said or (f"signal {clean(run.signal)}" if run.signal is not None else "")


def _header(batch: BatchRecord, left: Estimate, now: datetime, zone: tzinfo | None) -> list[str]:
    count = count_runs(batch.runs)
    skipped = f" ({plural(len(batch.skipped), 'run')} had succeeded before)" if batch.skipped else ""
    share = count.ended / count.total if count.total else 1.0
    return [
        f"{clean(batch.id)}: {batch.state} on {clean(batch.on)}",
        f"{bar(share)} {count.ended:,} of {plural(count.total, 'run')} ended{skipped}",
        times(batch, left, now=now, zone=zone),
        *_seen(batch, now, zone),
    ]


def _seen(batch: BatchRecord, now: datetime, zone: tzinfo | None) -> list[str]:
    """Say how old the news are of a batch that still runs on another computer."""
    seen = parse_time(batch.runner.seen_at)
    if seen is None or batch.state not in names.OPEN:
        return []
    age = span(max(0.0, (now - seen).total_seconds()))
    return [f"as of {local_time(seen, now=now, zone=zone)}, {age} ago; news: launcher pull"]


def _jobs(batch: BatchRecord) -> list[str]:
    counts = list(count_by_job(batch).items())
    rows = [
        (clean(job), f"{count.ended:,}/{count.total:,}", count.text()) for job, count in counts[: 2 * SHOWN]
    ]
    return table(rows, right=(1,)) + _more(len(counts) - 2 * SHOWN, "job")


def _running(lines: list[str]) -> list[str]:
    return ["running", *lines] if lines else []


def _failed(batch: BatchRecord, details: Details, columns: int) -> list[str]:
    failed = [run for run in batch.runs if run.state in FAILED]
    if not failed:
        return []
    special = describe_runs(batch, failed[:SHOWN])
    lines = [line for run in failed[:SHOWN] for line in _failure(run, special[run.id], details, columns)]
    return ["failed", *lines, *_more(len(failed) - SHOWN, "run")]


def _failure(run: RunRecord, special: str, details: Details, columns: int) -> list[str]:
    took = duration_s(run)
    after = f" after {span(took)}" if took is not None else ""
    attempt = f", attempt {run.attempts}" if run.attempts > 1 else ""
    reason = f": {why(run)}" if why(run) else ""
    last = clean(details.last_lines.get(run.id, "")).strip()
    return [
        cut(f"  {clean(run.id)}  {special}", columns).rstrip(),
        *wrap(f"    {state_text(run.state)}{after}{attempt}{reason}", columns, indent="      "),
        *([cut(f"    {last}", columns)] if last else []),
    ]


def _unfinished(batch: BatchRecord) -> list[str]:
    """Return a line for each reason why runs were interrupted or cancelled: often one for thousands."""
    groups: dict[tuple[str, str], int] = {}
    for run in batch.runs:
        if run.state in {names.INTERRUPTED, names.CANCELLED}:
            key = (run.state, why(run))
            groups[key] = groups.get(key, 0) + 1
    lines = [
        f"  {plural(count, 'run')} {state}" + (f": {reason}" if reason else "")
        for (state, reason), count in groups.items()
    ]
    return ["unfinished", *lines[:SHOWN], *_more(len(lines) - SHOWN, "reason")] if lines else []


def _early(batch: BatchRecord) -> list[str]:
    early = [run for run in batch.runs if run.state == names.SUCCEEDED and run.reason]
    if not early:
        return []
    return [f"{plural(len(early), 'run')} with fits that stopped early, as stop_when says"]


def _plain(job: str, reason: str) -> str:
    return f"{job}: a fit went the plain way, not the fast one: {reason}"


def _cold(reason: str) -> str:
    return f"runs started afresh, not from a warm worker: {reason}"


def _notes(notes: Iterable[str], columns: int) -> list[str]:
    return [line for note in notes for line in wrap(f"note: {clean(note)}", columns, indent="      ")]


def _next(batch: BatchRecord) -> list[str]:
    commands = list(_commands(batch, {run.state for run in batch.runs}))
    width = max((columns_of(command) for command, _ in commands), default=0)
    return ["next"] * bool(commands) + [f"  {command:<{width}}  {what}" for command, what in commands]


def _commands(batch: BatchRecord, states: set[str]) -> Iterable[tuple[str, str]]:
    if batch.state == names.QUEUED:
        yield _of_queued(batch)
    if batch.state == names.RUNNING:
        yield f"launcher attach {clean(batch.id)}", "follow it"
        yield from _look_at(batch, (names.RUNNING,), "-f ", "see what it prints")
        yield f"launcher stop {clean(batch.id)}", "end it"
    if batch.state == names.INTERRUPTED or (
        batch.state in {names.FAILED, names.CANCELLED} and states & names.RESUMABLE
    ):
        yield f"launcher resume {clean(batch.id)}", "go on where it stopped"
    if states & set(FAILED):
        yield from _look_at(batch, FAILED, "", "see why it failed")
    if names.FAILED in states and batch.state == names.FAILED:
        yield f"launcher resume {clean(batch.id)} --failed", "run the failed ones again"
    if names.SUCCEEDED in states or batch.skipped:
        yield f"launcher compare {clean(batch.id)}", "compare the variants"


def _of_queued(batch: BatchRecord) -> tuple[str, str]:
    if batch.runner.is_coming:
        return f"launcher attach {clean(batch.id)}", "wait for it: it is still being submitted"
    if not batch.runner.alive:
        return f"launcher resume {clean(batch.id)}", "start it: no runner is at work on it"
    return (
        f"launcher attach {clean(batch.id)}",
        "wait for it: it starts when the batches before it have ended",
    )


def _look_at(batch: BatchRecord, states: Sequence[str], flag: str, what: str) -> Iterable[tuple[str, str]]:
    for run in [run for run in batch.runs if run.state in states][:1]:
        yield f"launcher logs {flag}{clean(batch.id)}/{clean(run.id)}", what


def _more(count: int, word: str) -> list[str]:
    return [f"  … and {plural(count, f'more {word}')}"] if count > 0 else []
