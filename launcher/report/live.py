"""The live view of a batch for a terminal. It shows one moment: whoever follows makes a new one each time.

rich is imported here alone, and only inside: 60 ms that nobody else pays. No text is markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.report.counts import count_runs
from launcher.report.estimate import estimate
from launcher.report.running import running_lines
from launcher.report.status import times
from launcher.report.text import clean, cut, plural
from launcher.results.details import NOTHING, Details

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from rich.console import RenderableType

    from launcher.report.counts import Count
    from launcher.results.records import BatchRecord

BAR_COLUMNS = 40


def live_view(
    batch: BatchRecord,
    *,
    now: datetime,
    details: Details = NOTHING,
    zone: tzinfo | None = None,
    columns: int = 100,
) -> RenderableType:
    """Return the view of a batch at one moment: its bar, its counts, a line each running run.

    Args:
        batch: as it was read.
        now: the time, with its zone.
        details: what running runs say of themselves.
        zone: in which times are shown; None is this computer's.
        columns: of the terminal; longer lines are cut.
    """
    from rich.console import Group  # noqa: PLC0415

    count = count_runs(batch.runs)
    left = estimate(batch, now, details=details)
    head = [f"{clean(batch.id)} on {clean(batch.on)}: {count.text()}", times(batch, left, now=now, zone=zone)]
    running = running_lines(batch, left, details=details, now=now, columns=columns)
    return Group(_lines(head, columns), _bar(count), _lines(running, columns))


def _lines(lines: Sequence[str], columns: int) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415

    text = Text("\n".join(cut(line, columns) for line in lines), no_wrap=True, overflow="crop")
    text.highlight_regex("[▁-█]{2,}", "cyan")
    return text


def _bar(count: Count) -> RenderableType:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    done, total = (count.ended, count.total) if count.total else (1, 1)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=total, completed=done, width=BAR_COLUMNS),
        Text(f"{count.ended:,} of {plural(count.total, 'run')} ended"),
    )
    return line
