"""How long a command takes to begin: against the interpreter importing click."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench.project import LAUNCHER, project, run_whole, write_job
from tests.bench.row import Row, in_turn, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ROUNDS = 15
_RUNS = 1_000


def measure() -> Iterator[Row]:
    with project() as folder:
        write_job(folder, repeats=_RUNS)
        run_whole(folder)
        click, help_, status = in_turn(
            _ROUNDS,
            lambda: _time([sys.executable, "-c", "import click"], folder),
            lambda: _time([LAUNCHER, "--help"], folder),
            lambda: _time([LAUNCHER, "status"], folder),
        )
    yield _row("`launcher --help` v `python -c 'import click'`", help_, click, limit=1.5)
    yield _row(f"`launcher status` of {_RUNS:,} finished runs v the same", status, click, limit=3.0)


def _row(what: str, ours: float, peer: float, *, limit: float) -> Row:
    ratio = ours / peer
    return Row(what, f"{ours * 1e3:.0f} ms", f"{peer * 1e3:.0f} ms", ratio, f"<= {limit:g}", ratio <= limit)


def _time(argv: Sequence[str], folder: Path) -> float:
    return seconds(lambda: subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL))
