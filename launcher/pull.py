"""Bring a batch home from the node that it runs on: what is new while it runs, all of it when it has ended.

The code stays there, and so does the work of runs that have not ended. Of every run that has, each file is
compared with the hash that the runner wrote down; what is not home yet is said by name.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.errors import (
    HostileNodeError,
    HostKeyError,
    MachineGoneError,
    NodeError,
    RefusedError,
    ResultsNotSafeError,
    SshAuthenticationError,
)
from launcher.nodes.sync_record import Record
from launcher.results.left import Missing, find_missing, read_left
from launcher.results.plan_file import read_plan
from launcher.results.states import read_states
from launcher.runner import names
from launcher.runner.lock import Lock
from launcher.steer import HOME_ONLY, look_at_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from launcher.nodes.node import Node

_LOCK = ".pull.lock"
# What only one computer's runner needs.
_OF_ITS_RUNNER = (names.START, names.RUNNER_LOCK, names.REQUESTS, names.BALLAST, names.TRIALS, names.SPARES)
_STAYS = (
    *HOME_ONLY,
    *_OF_ITS_RUNNER,
    _LOCK,
    names.CODE,
    names.ENVIRONMENTS,
    "*.new",
    f"{names.RUNS}/*/*.new",
    f"{names.RUNS}/*/{names.WORK}",
)
# Large, soon replaced, and of use elsewhere only when the node is gone: its disk has them.
_CHECKPOINTS = f"{names.RUNS}/*/{names.CHECKPOINT}"
EVERY_S = 3.0
_SHARE = 0.1  # of the time at most goes into looking for news
_LONGEST_S = 30.0  # but nobody waits longer than this for the next look
_PATIENCE_S = 60.0
_FATAL = (HostileNodeError, SshAuthenticationError, MachineGoneError)
_GONE: dict[str, Any] = {"at": None, "is_alive": False, "requests": 0}
_HAS_NO_LOCKS = os.name == "nt"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one look at the node brought.

    Attributes:
        paths: files that are new or changed at home.
        size_bytes: how many bytes had to travel.
        beside: files that stand beside ones that were changed at home.
        refused: what was not taken, and why.
        missing: what ended runs left and home does not have yet.
        is_alive: whether the runner lived, by its own computer.
        ended: how many runs have ended.
    """

    paths: tuple[str, ...] = ()
    size_bytes: int = 0
    beside: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    missing: tuple[Missing, ...] = ()
    is_alive: bool = False
    ended: int = 0

    @property
    def is_safe(self) -> bool:
        """Whether all that ended runs left is at home, byte for byte."""
        return not self.missing


def fetch_frozen(node: Node, batch: Path) -> None:
    """Bring home what was frozen at submit, where another computer submitted.

    Raises:
        NodeError: the node could not be reached, or did not do what it should.
    """
    there = node.home / names.BATCHES / batch.name
    node.fetch(there, to=batch, exclude=(*HOME_ONLY, *_OF_ITS_RUNNER, names.RUNS))  # those come by pulling


class Puller:
    """One batch and its node; what was found before is remembered, so that news cost little.

    Args:
        node: where the batch runs.
        batch: its folder at home.
        now: the time, UTC.
        is_disk: whether the node shows the batch on the disk of a computer that is gone.
    """

    def __init__(
        self, node: Node, batch: Path, *, now: Callable[[], datetime], is_disk: bool = False
    ) -> None:
        self._node, self._batch, self._now, self._is_disk = node, batch, now, is_disk
        self._there = node.home / names.BATCHES / batch.name
        self._verified: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        self._looks_anew = False
        known = (names.PLAN,) if (batch / names.PLAN).exists() else ()
        self._stays = (*_STAYS, *known, *(() if is_disk else (_CHECKPOINTS,)))

    def pull(self, *, tell: Callable[[int, int], None] | None = None) -> Pulled | None:
        """Bring home what is new; None where somebody else is doing that right now.

        Args:
            tell: takes how many bytes have travelled, and how many will.

        Raises:
            NodeError: the node could not be reached, or did not do what it should.
        """
        with Lock(str(self._batch / _LOCK)) as lock:
            if not _HAS_NO_LOCKS and not lock.try_to_take():
                return None
            return self._pull(tell)

    def _pull(self, tell: Callable[[int, int], None] | None) -> Pulled:
        # The runner first: what a dead one left cannot change while it is fetched.
        seen = _GONE if self._is_disk else look_at_batch(self._node, self._batch.name)
        paths, size_bytes, beside = self._fetch((f"{names.RUNS}/*/{names.OUTPUTS}",), tell)
        left = read_left(self._batch)
        if any(self._verified.get(run) != files for run, files in left.items()):
            more = self._fetch(tuple(self._open_outputs()), tell)
            paths, size_bytes, beside = paths + more[0], size_bytes + more[1], beside + more[2]
        missing = self._verify(left)
        self._put_aside(missing)
        # The node tells only of what is new to it; what came and is gone here it has to tell of again.
        self._looks_anew = bool(missing)
        self._remember(seen)
        return Pulled(
            paths,
            size_bytes,
            beside,
            tuple(self._refused.items()),
            missing,
            bool(seen.get("is_alive")),
            len(left),
        )

    def _list_better(self) -> Iterator[str]:
        """Yield what home has better than a disk that was cut off: whole runs, a journal that went on.

        Without replay it may show a file as it was minutes ago, or another in its place.
        """
        left = read_left(self._batch)
        self._verify(left)
        yield from (f"{names.RUNS}/{run}" for run, files in left.items() if self._verified.get(run) == files)
        journal = self._batch / names.EVENTS
        argv = ["stat", "-c", "%s", str(self._there / names.EVENTS)]
        there = self._node.run(argv, timeout_s=_PATIENCE_S).stdout.strip()
        if journal.exists() and journal.stat().st_size >= int(there or 0):
            yield names.EVENTS

    def _fetch(
        self, exclude: Sequence[str], tell: Callable[[int, int], None] | None
    ) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
        better = tuple(self._list_better()) if self._is_disk else ()
        try:
            moved = self._node.fetch(
                self._there,
                to=self._batch,
                exclude=(*exclude, *self._stays, *better),
                tell=tell,
                anew=self._looks_anew,
            )
        except RefusedError as error:
            self._refused.update(error.refused)
            return (), 0, ()
        return moved.paths, moved.size_bytes, moved.beside

    def _open_outputs(self) -> Sequence[str]:
        """Return the outputs that runs may still write to."""
        states = read_states(str(self._batch), [str(run["id"]) for run in read_plan(self._batch)["runs"]])
        going = (run for run, state in states.items() if state.get("state") in names.OPEN)
        return [f"{names.RUNS}/{run}/{names.OUTPUTS}" for run in going]

    def _verify(self, left: dict[str, Any]) -> tuple[Missing, ...]:
        missing: list[Missing] = []
        for run, files in left.items():
            if self._verified.get(run) == files:
                continue
            found = tuple(find_missing(self._batch, run, files))
            missing += found
            if not found:
                self._verified[run] = files
        return tuple(missing)

    def _put_aside(self, missing: Sequence[Missing]) -> None:
        """Move what came here and went bad here out of the way, so that it comes once more.

        A power cut can leave a file its length and time, but not its content.
        """
        record = Record(self._batch) if missing else None
        for each in missing:
            path, known = self._batch / each.path, record.get(each.path) if record else None
            if known and path.is_file() and known.is_home(path.lstat()):
                path.replace(path.with_name(f"{path.name}.damaged"))

    def _remember(self, seen: dict[str, Any]) -> None:
        write_seen(self._batch, {**seen, "pulled_at": self._now().isoformat(timespec="microseconds")})


def write_seen(batch: Path, seen: dict[str, Any]) -> None:
    """Write down what was seen of a batch where it runs; it is judged by that until somebody looks again.

    Args:
        seen: `pulled_at`, by our clock; `at`, by the node's; `is_alive`, whether its runner lives, None where
            only its files could be looked at; `requests`, how many it has not carried out.
    """
    new = batch / f"{names.SEEN}.{os.getpid()}"
    new.write_text(json.dumps(seen), "ascii")
    new.replace(batch / names.SEEN)


class News:
    """Pull now and then, and go on through a network that comes and goes.

    Args:
        tell: takes a line when the node is lost, and when it is back.
        met: is called when the node answered.
        lost: is called when it did not, or somebody else did; may know that it never will again.
    """

    def __init__(
        self,
        puller: Puller,
        *,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        every_s: float = EVERY_S,
        met: Callable[[], None] = lambda: None,
        lost: Callable[[NodeError], None] = lambda _: None,
    ) -> None:
        self._puller, self._clock, self._tell, self._every_s = puller, clock, tell, every_s
        self._met, self._lost = met, lost
        self._next_at = clock()
        self._is_lost = False
        self.last = Pulled()

    def refresh(self, *, at_once: bool = False) -> bool:
        """Bring home what is new, unless that was done a moment ago.

        Returns:
            whether that was done now, and by us.

        Raises:
            NodeError: the node is not the one that it was, or is hostile: to try again is no help.
        """
        began = self._clock()
        if began < self._next_at and not at_once:
            return False
        pulled = None
        try:
            pulled = self._puller.pull()
            self._met()
        except HostKeyError as error:
            self._lost(error)
            raise
        except _FATAL:
            raise
        except NodeError as error:
            self._lose(error)
            self._lost(error)
        else:
            self.last = pulled or self.last
            self._find()
        self._next_at = self._clock() + self._pause_s(self._clock() - began)
        return pulled is not None

    def finish(self, sleep: Callable[[float], None]) -> Pulled:
        """Pull until everything is at home, with patience; what is missing then stands in the answer.

        Raises:
            ResultsNotSafeError: what there is could not be looked at, so that nothing is known to be missing.
        """
        until = self._clock() + _PATIENCE_S
        while True:
            has_looked = self.refresh(at_once=True)
            is_done = has_looked and self.last.is_safe and not self.last.is_alive
            if is_done or (has_looked and self._clock() > until):
                return self.last
            if self._clock() > until:
                raise ResultsNotSafeError(
                    "Whether everything is at home could not be seen at the end.", "Try again: launcher pull"
                )
            sleep(1.0)

    def _pause_s(self, took_s: float) -> float:
        # What a look that failed took was waiting, not work: the next one may find the network back.
        rest_s = 0.0 if self._is_lost else min(took_s / _SHARE, _LONGEST_S)
        return max(self._every_s, rest_s)

    def _lose(self, error: NodeError) -> None:
        if not self._is_lost:
            self._tell(f"{error.what} Trying again; the batch goes on there.")
        self._is_lost = True

    def _find(self) -> None:
        if self._is_lost:
            self._tell("The node is back.")
        self._is_lost = False
