"""Rewrite the table of published against measured in jobs/README.md from finished batches.

A row of which there is no batch stays as it is.

python -m tests.published [HOME...]      HOME: a .launcher folder, by default the one of this project
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.results.batch import read_batch
from launcher.results.find import list_batches
from tests.published.figures import read_figures
from tests.published.measure import measure
from tests.published.table import keep_measured, replace_between, write_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.results.records import BatchRecord

JOBS = Path(__file__).parents[2] / "jobs"


def main(homes: Sequence[Path]) -> None:
    batches = list(_read(homes))
    rows = [(figure, measure(figure, batches)) for figure in read_figures(JOBS)]
    page = JOBS / "README.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(replace_between(text, keep_measured(write_tables(rows), text)), encoding="utf-8")
    measured = sum(bool(found.values) for _, found in rows)
    print(f"{measured} of {len(rows)} figures measured, from {len(batches)} batches: {page}")


def _read(homes: Sequence[Path]) -> Iterator[BatchRecord]:
    """Yield every readable batch, newest first."""
    for home in homes:
        for folder in list_batches(home):
            try:
                yield read_batch(folder, now=datetime.now(UTC), boot_id=None)
            except UsageError as error:
                print(f"passed over: {error.what}", file=sys.stderr)


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]] or [JOBS.parent / ".launcher"])
