"""A project to measure in: on the real disk of the checkout, or in BENCH_DIR; thrown away afterwards.

ext4 without a journal, as some virtual machines have it, steps over every inode that was freed in the last
minutes before it gives out a new one of the same block group. There, what was removed before, be it an
earlier measurement or a checkout, would decide the figures of us and of our peers; so each project begins in
a block group of its own, of several the one in which new files are made the fastest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.results.journal import read_events
from tests.bench.row import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBES = 16
_PROBE_FILES = 20
LAUNCHER = str(Path(sys.executable).with_name("launcher"))


@contextmanager
def project() -> Iterator[Path]:
    """Make an empty project, not on tmpfs."""
    top = Path(tempfile.mkdtemp(prefix=".bench-", dir=os.environ.get("BENCH_DIR") or Path.cwd()))
    _spread_folders_of(top)
    try:
        yield _make_clear_folder(top)
    finally:
        for parent, _, _ in os.walk(top):
            Path(parent).chmod(0o700)
        shutil.rmtree(top)


def write_job(folder: Path, *, repeats: int, run: str = '["true"]', name: str = "job") -> Path:
    """Write a job of so many runs."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "note.txt").write_text("one small file\n")
    path = folder / f"{name}.yaml"
    path.write_text(f"folder: {name}\nrun: {run}\nrepeats: {repeats}\nneeds: {{gpus: 0}}\n")
    (folder / ".launcher").mkdir(exist_ok=True)
    return path


def launcher(folder: Path, *arguments: str, check: bool = True, program: str = LAUNCHER) -> str:
    """Run a command in a project. Returns: its stdout."""
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        check=check,
        text=True,
        capture_output=True,
    )
    return done.stdout.strip()


def wait_until_over(batch: Path) -> None:
    """Wait until the runner of a batch has written its last word."""
    events = batch / "events.jsonl"
    while not events.exists() or b'"batch_ended"' not in events.read_bytes()[-300:]:
        time.sleep(0.05)


def run_whole(folder: Path, *flags: str) -> Path:
    """Submit `job.yaml` and wait for the end. Returns: the batch."""
    batch = batch_of(folder, launcher(folder, "submit", "job.yaml", "--detach", *flags))
    wait_until_over(batch)
    return batch


def batch_of(folder: Path, batch: str) -> Path:
    return folder / ".launcher" / "batches" / batch


def events(batch: Path, kind: str) -> list[dict[str, Any]]:
    """Return what a batch's runner wrote down of one kind."""
    return [event for event in read_events(str(batch)) if event.get("event") == kind]


def seconds_between(first: dict[str, Any], last: dict[str, Any]) -> float:
    """Return the time from one event to another."""
    began, ended = (datetime.fromisoformat(event["at"]) for event in (first, last))
    return (ended - began).total_seconds()


def _spread_folders_of(top: Path) -> None:
    """Have ext4 put each new folder in here into another block group, see chattr(1); others need no hint."""
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", top], check=False, stderr=subprocess.DEVNULL)


def _make_clear_folder(top: Path) -> Path:
    """Make an empty folder where no removed files lie in the way of new ones."""
    probes = [Path(tempfile.mkdtemp(dir=top)) for _ in range(_PROBES)]
    # What they hold stays: removed, it would lie in the way itself.
    probe = min(probes, key=lambda folder: seconds(lambda: _fill(folder)))
    folder = probe / "project"
    folder.mkdir()
    return folder


def _fill(folder: Path) -> None:
    for number in range(_PROBE_FILES):
        (folder / str(number)).touch()
