"""Play one cell: a night in which the fault strikes in its phase, and the user who comes back to it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING

from tests.faults import checks
from tests.faults.night import PATIENCE_S, RUNS, Night
from tests.faults.strike import mend, strike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.box.box import Box
    from tests.fake_ec2 import FakeEc2
    from tests.fake_ec2.call import Call
    from tests.faults.matrix import Cell, Phase

_STEP_S = 0.05


def play(
    cell: Cell, *, fake: FakeEc2, box: Box, folder: Path, package: Path | None = None
) -> tuple[str, ...]:
    """Play a cell. Returns: what is wrong, in words; nothing where all is as promised."""
    night = Night(fake, box, folder, spot=cell.fault.spot, keep_s=cell.keep_s, package=package)
    try:
        wrong = [*_Watcher(night, cell).watch()]
        wrong += mend(night, cell)
        wrong += _come_back(night)
        wrong += [*checks.clean(night), *checks.home(night)]
    finally:
        fake.watch = None
        night.close()
    return tuple(dict.fromkeys(wrong))


class _Watcher:
    """Wait for a phase beside the client, let the fault happen, and look at the money all the while."""

    def __init__(self, night: Night, cell: Cell) -> None:
        self._night, self._cell = night, cell
        self._has_struck = threading.Event()
        self._wrong: list[str] = []

    def watch(self) -> list[str]:
        """Return what went wrong until the client ended."""
        night, phase = self._night, self._cell.phase
        night.fake.watch = self._on_call
        night.client = night.start("submit", "hello.yaml", "--on", "ec2", "--yes")
        until = time.monotonic() + PATIENCE_S
        while night.client.poll() is None and time.monotonic() < until:
            if not phase.call and not self._has_struck.is_set() and _is_now(phase, night):
                self._strike()
            self._look()
            time.sleep(_STEP_S)
        night.client.kill()
        night.client.wait()
        self._wait_for_others()
        if not self._has_struck.is_set():
            self._wrong.append("its phase never came")
        if self._cell.needs_nobody and night.client.returncode:
            self._wrong.append(f"the client gave up, with {night.client.returncode}")
        return self._wrong

    def _on_call(self, call: Call, moment: str) -> None:
        if (call.action, moment) == self._cell.phase.call and not call.is_dry_run:
            self._strike()

    def _strike(self) -> None:
        if not self._has_struck.is_set():
            self._has_struck.set()
            strike(self._night, self._cell)

    def _look(self) -> None:
        self._wrong += checks.money(self._night)

    def _wait_for_others(self) -> None:
        for process in self._night.others:
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._wrong.append("the second client never ended")


def _is_now(phase: Phase, night: Night) -> bool:
    if phase.line:
        return phase.line in night.said
    try:
        states = night.states
    except (OSError, ValueError, json.JSONDecodeError):
        return False
    if phase.states == "running":
        return "running" in states
    return states == [phase.states] * RUNS and (not phase.outputs or night.has_outputs)


def _come_back(night: Night) -> Iterator[str]:
    """Do what a user does who finds the batch in the morning: resume it once, and end what is left."""
    if night.batch is not None and (code := night.run("resume", "--failed")):
        yield f"to resume it once was not enough: {code}"
        night.run("resume", "--failed")
    night.run("reap", "--yes")
