"""Write the table of published against measured, and how an interval shrinks with repeats. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.report.statistics import summarize
from tests.published.figures import LAST, Figure
from tests.published.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.published.measure import Measured

HEADER = ("job", "variant", "what", "published", "measured, 95 % interval", "repeats", "by", "verdict")
SHRINKING = "skill-estimate"
SHOWN = (3, 5, 10, 20, 30)
_SHRINKING_TITLE = f"How the interval of `{SHRINKING}` shrinks with repeats:"
_NOT_MEASURED = "| not measured |"
_SUBJECT_CELLS = 4  # job, variant, what, published
BEGIN, END = "<!-- published: begin -->", "<!-- published: end -->"


def write_tables(rows: Sequence[tuple[Figure, Measured]]) -> str:
    """Return both tables; the second only where its job was measured."""
    lines = _table(HEADER, (_row(figure, measured) for figure, measured in rows))
    for figure, measured in rows:
        if figure.job == SHRINKING and len(measured.values) >= SHOWN[0]:
            lines += ["", *_shrink(measured.values)]
    return "\n".join(lines)


def keep_measured(block: str, page: str) -> str:
    """Return the tables with the rows that a page has already, of what was measured then and not now."""
    _, _, old = page.partition(BEGIN)
    old, _, _ = old.partition(END)
    earlier = {_subject(line): line for line in old.splitlines() if not line.endswith(_NOT_MEASURED)}
    lines = [
        earlier.get(_subject(line), line) if line.endswith(_NOT_MEASURED) else line
        for line in block.splitlines()
    ]
    _, title, shrinking = old.partition(_SHRINKING_TITLE)
    if title and title not in block:
        lines += ["", title + shrinking.rstrip()]
    return "\n".join(lines)


def replace_between(text: str, block: str) -> str:
    """Put a block between the two marks of a page."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise ValueError(f"no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def _subject(line: str) -> tuple[str, ...]:
    return tuple(line.split(" | ")[:_SUBJECT_CELLS])


def _row(figure: Figure, measured: Measured) -> tuple[str, ...]:
    summary = summarize(measured.values)
    digits = 3 if figure.take == LAST else 1
    interval = "-"
    if summary.mean is not None:
        interval = f"{summary.mean:.{digits}f}"
    if summary.low is not None and summary.high is not None:
        interval += f" ({summary.low:.{digits}f} to {summary.high:.{digits}f})"
    folds = f" x {measured.folds} folds" if measured.folds and measured.values else ""
    return (
        figure.job,
        ", ".join(f"{name} {value}" for name, value in figure.named.items()),
        figure.what,
        _published(figure),
        interval,
        f"{summary.n}{folds}" if measured.values else "-",
        measured.engine if measured.values else "-",
        judge(figure, summary),
    )


def _published(figure: Figure) -> str:
    if figure.published is None:
        return "-"
    spread = "" if figure.spread is None else f" (folds: {figure.spread:.3f})"
    return f"{figure.published:g}{spread}"


def _shrink(values: Sequence[float]) -> list[str]:
    """Tell what the first n repeats alone would have said."""
    counts = [count for count in SHOWN if count <= len(values)]
    rows = []
    for count in counts:
        n, mean, sd, se, low, high = (round(each or 0, 4) for each in summarize(values[:count]))
        rows.append((f"{n}", f"{mean:.3f}", f"{sd:.3f}", f"{se:.4f}", f"{low:.3f} to {high:.3f}"))
    header = ("repeats", "mean", "standard deviation", "standard error", "95 % interval")
    return [_SHRINKING_TITLE, "", *_table(header, rows)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
