"""Read what a status page shows beyond states: how far running runs are, the last words of failed ones.

It reads the running runs, a few finished ones beside each of them, and the first failed ones: never all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from launcher.results.files import read_end
from launcher.results.history import Progress, count_epochs, read_progress
from launcher.results.journal import read_cold
from launcher.results.metrics import read_metrics
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from launcher.results.records import BatchRecord, RunRecord

SIBLINGS = 3
LAST_WORDS_BYTES = 8192
BLANKS = b" \t\v\f\b"  # progress bars go back over themselves
FAILED = (names.FAILED, names.TIMED_OUT, names.STALLED)


class Details(NamedTuple):
    """By run id: progress of running runs, epochs that they will have, last log line of failed ones.

    `plain` has jobs with the reasons why one of their runs did not go the fast way that it was to go; `cold`
    has the reasons why runs that were to be warm started afresh.
    """

    progress: Mapping[str, Progress]
    epochs: Mapping[str, int]
    last_lines: Mapping[str, str]
    plain: Sequence[tuple[str, str]] = ()
    cold: Sequence[str] = ()


NOTHING = Details({}, {}, {})


def read_details(batch: BatchRecord, *, failed: int = 10) -> Details:
    """Read the details of a batch, with the last lines of the first `failed` runs that failed."""
    running = [run for run in batch.runs if run.state == names.RUNNING]
    progress = {run.id: read_progress(run.place, attempt=run.attempts) for run in running}
    bad = [run for run in batch.runs if run.state in FAILED][:failed]
    return Details(
        progress={run: found for run, found in progress.items() if found is not None},
        epochs=_expect_epochs(running, batch.runs),
        last_lines={run.id: read_last_line(run.place) for run in bad},
        plain=tuple(_find_plain(batch)),
        cold=tuple(read_cold(str(batch.folder))),
    )


def _find_plain(batch: BatchRecord) -> Iterator[tuple[str, str]]:
    begun = {run.job: run for run in batch.runs if run.attempts}
    for job, run in begun.items():
        fast = (read_metrics(run.place) or {}).get("fast")
        plain = fast.get("plain") if isinstance(fast, dict) else None
        yield from ((job, reason) for reason in (plain if isinstance(plain, dict) else ()))


def read_last_line(run_folder: Path | str) -> str:
    """Return the last line with any text of a run's log as it was written; empty where there is none."""
    end = read_end(f"{run_folder}/{names.LOG}", size_bytes=LAST_WORDS_BYTES)
    lines = (line.strip(BLANKS) for line in reversed(end.replace(b"\r", b"\n").split(b"\n")))
    return next((line for line in lines if line), b"").decode("utf-8", "replace")


def _expect_epochs(running: Sequence[RunRecord], runs: Iterable[RunRecord]) -> dict[str, int]:
    """Return the epochs that running runs will have: as finished ones of the variant, else param `epochs`."""
    wanted = {(run.job, run.variant) for run in running}
    siblings: dict[tuple[str, int], list[RunRecord]] = {}
    for run in runs:
        if run.state == names.SUCCEEDED and (run.job, run.variant) in wanted:
            siblings.setdefault((run.job, run.variant), []).append(run)
    counts = {
        key: sorted(count_epochs(run.place) for run in found[-SIBLINGS:]) for key, found in siblings.items()
    }
    expected = {run.id: _expect(run, counts.get((run.job, run.variant), [])) for run in running}
    return {run: epochs for run, epochs in expected.items() if epochs}


def _expect(run: RunRecord, counts: Sequence[int]) -> int:
    if counts:
        return counts[len(counts) // 2]
    epochs = run.params.get("epochs")
    return epochs if type(epochs) is int and epochs > 0 else 0
