"""Bring a folder of a node home: what is new since the last time, verified byte for byte by sha256.

Names travel once, in a table that is checked as a whole before anything is written; contents come by number.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from launcher.errors import RefusedError
from launcher.machine.tree import FILE, FOLDER, Row
from launcher.nodes.node import Moved
from launcher.nodes.sync_arrival import IN_ITS_PLACE
from launcher.nodes.sync_record import RECORD
from launcher.nodes.sync_rows import MOST_NAMES, checked_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from launcher.nodes.sync_arrival import Arrival
    from launcher.nodes.sync_peer import Peer

_AT_ONCE = 5000
_SLACK_BYTES = 1 << 26  # a log may grow between being listed and being read
_SHOWN = 3
# Whoever reads a state or the journal at home shall find there what they speak of.
_LAST = ("state.json", "events.jsonl", "manifest.json", "runner.json")


class _Wanted(NamedTuple):
    number: int
    row: Row
    start: int
    sha256: str

    @property
    def missing_bytes(self) -> int:
        return self.row.size - self.start


class Fetcher:
    """One folder of a node and its copy at home.

    Args:
        root: the folder there.
        arrival: the folder here.
        most_names: how many names it may hold.
    """

    def __init__(self, peer: Peer, *, root: str, arrival: Arrival, most_names: int = MOST_NAMES) -> None:
        self._peer, self._root, self._arrival, self._most = peer, root, arrival, most_names

    def fetch(
        self, exclude: Sequence[str], tell: Callable[[int, int], None] | None, *, anew: bool = False
    ) -> Moved:
        """Fetch what is new or has changed; `anew` has the node tell of everything once more."""
        self._arrival.start()
        try:
            rows, node_time = self._list(tuple(exclude), anew=anew)
            size_bytes = self._take(self._wanted(rows), tell or _tell_nobody)
        finally:
            self._arrival.save()
        moved = Moved(tuple(self._arrival.paths), size_bytes, tuple(self._arrival.beside), node_time)
        if self._arrival.refused:
            raise _refusal(self._peer.name, tuple(self._arrival.refused))
        return moved

    def _list(self, exclude: tuple[str, ...], *, anew: bool) -> tuple[list[tuple[int, Row]], float]:
        peer = self._peer
        with peer.talking() as wire:
            peer.ask("list", root=self._root, exclude=exclude, anew=anew)
            # Numbers count all rows, so that rows which were not asked for shift none.
            told = enumerate(wire.get_rows())
            rows = _number(told, node=peer.name, exclude=(*exclude, RECORD), most=self._most)
            now = peer.answer().get("now")
        return rows, float(now) if isinstance(now, int | float) else 0.0

    def _wanted(self, rows: Iterable[tuple[int, Row]]) -> list[_Wanted]:
        room = self._arrival.room_bytes()
        wanted: list[_Wanted] = []
        for number, row in sorted(rows, key=lambda item: item[1].size):
            if row.kind == FOLDER:
                self._arrival.make_folder(row)
            elif row.kind != FILE:
                self._arrival.make_link(self._relative(row))
            elif not self._arrival.opens(row):
                self._arrival.refuse(row.path, IN_ITS_PLACE)
            elif (have := self._arrival.want(row)) is not None:
                one = _Wanted(number, row, *have)
                room -= one.missing_bytes
                if room < 0:
                    self._arrival.refuse(row.path, f"it has {row.size:,} bytes, more than there is room for")
                    room += one.missing_bytes
                else:
                    wanted.append(one)
        return sorted(wanted, key=lambda one: (_rank(one.row.path), one.row.path))

    def _relative(self, row: Row) -> Row:
        """Let a link that names its target from the root of the node name it from where it is."""
        if not row.target.startswith(f"{self._root}/"):
            return row
        ups = "../" * row.path.count("/")
        return row._replace(target=ups + row.target.removeprefix(f"{self._root}/"))

    def _take(self, wanted: Sequence[_Wanted], tell: Callable[[int, int], None]) -> int:
        total, done = sum(max(one.missing_bytes, 0) for one in wanted), 0
        for first in range(0, len(wanted), _AT_ONCE):
            for size in self._take_some(wanted[first : first + _AT_ONCE]):
                done += size
                tell(done, max(total, done))
        return done

    def _take_some(self, wanted: Sequence[_Wanted]) -> Iterable[int]:
        peer = self._peer
        with peer.talking() as wire:
            peer.ask("give")
            wire.put_rows([(one.number, one.start, one.sha256) for one in wanted])
            wire.flush()
            for one in wanted:
                yield self._arrival.receive(
                    one.row,
                    wire,
                    number=one.number,
                    start=one.start,
                    limit_bytes=one.row.size + _SLACK_BYTES,
                )
            peer.answer()


def _number(
    told: Iterable[tuple[int, object]], *, node: str, exclude: Sequence[str], most: int
) -> list[tuple[int, Row]]:
    numbers: list[int] = []

    def remember() -> Iterable[object]:
        for number, value in told:
            numbers.append(number)
            yield value

    return [(numbers[-1], row) for row in checked_rows(remember(), node=node, exclude=exclude, most=most)]


def _rank(path: str) -> int:
    name = os.path.basename(path)  # noqa: PTH119 - thousands of them
    return _LAST.index(name) + 1 if name in _LAST else 0


def _tell_nobody(_done: int, _total: int) -> None:
    pass


def _refusal(node: str, refused: tuple[tuple[str, str], ...]) -> RefusedError:
    first = "; ".join(f"{path!r:.200}: {reason}" for path, reason in refused[:_SHOWN])
    more = f"; and {len(refused) - _SHOWN:,} more" if len(refused) > _SHOWN else ""
    return RefusedError(
        f"Not taken from {node}: {first}{more}.",
        "Everything else has come. Look at them there.",
        refused=refused,
    )
