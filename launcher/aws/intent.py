"""What we are about to buy, on disk before it is asked for. One file a batch; knows no AWS.

A call to AWS can be cut off after it was heard. So each attempt is written down, whole and fsynced, before it
is made: whoever comes later sends the very same bytes with the very same token, and AWS answers with the
machine that it gave then, or finds it by that token. The file has the machine's first host key in it, and is
the user's alone.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from launcher.errors import UsageError
from launcher.runner.lock import Lock, is_held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "intents"
OPEN, LAUNCHED, CLOSED = "open", "launched", "closed"
_SCHEMA = 1
_NOTHING_YET: dict[str, Any] = {"machine": "", "schedule": "", "are_results_home": False, "why": ""}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for a machine, exactly as it is sent.

    Attributes:
        number: from 0 within the batch, also over several machines.
        token: by which AWS knows it again.
        at: when it was begun, UTC, ISO 8601.
        expires_at: the deadline of the machine, likewise.
        parameters: those of RunInstances; empty once it has ended.
        may_have_bought: whether it was sent, and no definite answer came.
        outcome: what came of it; empty as long as that is not known.
    """

    number: int
    token: str
    region: str
    zone: str
    type: str
    market: str
    usd_per_hour: float
    at: str
    expires_at: str
    parameters: dict[str, Any]
    may_have_bought: bool = True
    outcome: str = ""

    @property
    def place(self) -> str:
        """What and where, for people."""
        return f"{self.type} {self.market} in {self.zone or self.region}"


@dataclass(frozen=True, slots=True)
class Record:
    """What the file says.

    Attributes:
        attempt: the one that is under way, or that got the machine.
        machine: the id of the machine, once known.
        schedule: the name of the schedule that ends it, where there is one.
        past: the attempts before, and of a closed intent the last one too.
        are_results_home: whether all that the machine made has been verified at home.
        why: why it was closed.
    """

    batch: str
    state: str = OPEN
    attempt: Attempt | None = None
    machine: str = ""
    schedule: str = ""
    past: tuple[Attempt, ...] = ()
    machines: tuple[str, ...] = ()
    are_results_home: bool = False
    why: str = ""

    @property
    def current_token(self) -> str:
        """The token of the machine that this speaks of, also once closed; empty where there is none."""
        if self.attempt:
            return self.attempt.token
        return self.past[-1].token if self.past and self.state == CLOSED else ""

    @property
    def next_number(self) -> int:
        """The number of the attempt after all others."""
        known = (*self.past, *((self.attempt,) if self.attempt else ()))
        return max((attempt.number for attempt in known), default=-1) + 1


@dataclass(slots=True)
class Intent:
    """The file, and what it says.

    Args:
        path: `.launcher/intents/<batch>.json`.
    """

    path: Path
    record: Record = field(init=False)

    def __post_init__(self) -> None:
        """Read the file, if there is one."""
        self.record = _read(self.path) if self.path.exists() else Record(batch=self.path.stem)

    @property
    def is_cut_off(self) -> bool:
        """Whether a launch was begun and is neither decided nor under way: who made it was killed."""
        is_open = self.record.state == OPEN and self.record.attempt is not None
        return is_open and (os.name == "nt" or not is_held(str(self.path.with_suffix(".lock"))))

    def begin(self, attempt: Attempt) -> None:
        """Say that an attempt is about to be made; on disk when the call returns."""
        self._write(replace(self.record, state=OPEN, attempt=attempt, **_NOTHING_YET))

    def refused(self, outcome: str) -> None:
        """Say that the attempt definitely bought nothing."""
        attempt = self.record.attempt
        if attempt:
            ended = replace(attempt, parameters={}, may_have_bought=False, outcome=outcome)
            past = (*self.record.past, ended)
            self._write(replace(self.record, state=OPEN, attempt=None, past=past, **_NOTHING_YET))

    def launched(self, machine: str) -> None:
        """Say which machine the attempt got."""
        machines = tuple(dict.fromkeys((*self.record.machines, machine)))
        self._write(replace(self.record, state=LAUNCHED, machine=machine, machines=machines))

    def scheduled(self, name: str) -> None:
        """Say which schedule ends the machine."""
        self._write(replace(self.record, schedule=name))

    def results_are_home(self) -> None:
        """Say that everything that the machine made has been verified at home: it may end with its disk."""
        self._write(replace(self.record, are_results_home=True))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes of this computer from launching for the batch, or from giving the launch up.

        Raises:
            UsageError: one of them is at it.
        """
        if os.name == "nt":  # where such locks are not
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Lock(str(self.path.with_suffix(".lock"))) as lock:
            if not lock.try_to_take():
                raise UsageError(
                    f"Another launcher of this computer rents a machine for {self.path.stem} just now.",
                    "Wait for it, or end it with Ctrl-C.",
                )
            if self.path.exists():
                self.record = _read(self.path)
            yield

    def close(self, why: str) -> None:
        """Say that nothing of it exists any more."""
        ended = replace(self.record, state=CLOSED, why=why)
        if ended.attempt:
            parted = replace(ended.attempt, parameters={}, may_have_bought=False, outcome=why)
            ended = replace(ended, attempt=None, machine="", schedule="", past=(*ended.past, parted))
        self._write(ended)

    def _write(self, record: Record) -> None:
        write_whole(self.path, json.dumps({"schema": _SCHEMA, **asdict(record)}, indent=1).encode())
        self.record = record


def intent_of(home: Path, batch: str) -> Intent:
    """Return the intent of a batch; a new one is on disk only when it begins."""
    return Intent(home / FOLDER / f"{batch}.json")


def read_intents(home: Path) -> tuple[tuple[Intent, ...], tuple[str, ...]]:
    """Return the intents that were ever written here, the oldest first, and why others can't be read."""
    found, damaged = [], []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            found.append(Intent(path))
        except UsageError as error:
            damaged.append(error.what)
    return tuple(found), tuple(damaged)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file so that only the user can read it, and that it is on disk when the call returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)  # noqa: PTH105 - `staged` is no Path
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
        raise
    _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":  # where a folder can't be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Record:
    try:
        values = json.loads(path.read_bytes())
        if values.pop("schema") > _SCHEMA:
            raise UsageError(f"{path} is of a newer launcher.", "Upgrade launcher: pip install -U launcher.")
        attempt = values.pop("attempt")
        return Record(
            **values
            | {
                "attempt": Attempt(**attempt) if attempt else None,
                "past": tuple(Attempt(**each) for each in values["past"]),
                "machines": tuple(values["machines"]),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is damaged: {error}.", "See what runs with launcher ps, then remove the file."
        ) from error
