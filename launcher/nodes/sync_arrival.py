"""Where files of a node arrive at home: whole and verified or not at all, and never over what the user did.

Nothing is written through a link, out of the folder, or over a file that is not as it came. What was broken
off half-way is gone on with: bytes that are here already are named by their hash and do not travel again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

from launcher.errors import HostileNodeError, NodeError
from launcher.machine.take import receive_bytes
from launcher.nodes.sync_record import Known, Record
from launcher.nodes.sync_rows import is_inside

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.machine.tree import Row
    from launcher.machine.wire import Wire

IN_ITS_PLACE = "something else stands in its place here"
_CHUNK_BYTES = 1 << 20
_OWNER = stat.S_IRUSR | stat.S_IWUSR
_MODES = 0o755
_ROOM_KEPT_BYTES = 1 << 27


class Arrival:
    """A folder at home.

    Args:
        to: the folder, made where it is missing.
        node: its name, for messages.
    """

    def __init__(self, to: Path, *, node: str) -> None:
        self._root, self._node = f"{to}/", node  # thousands of files: paths are plain text here
        self._sound: set[str] = set()
        self._hashes: dict[str, tuple[int, Any]] = {}
        to.mkdir(parents=True, exist_ok=True)
        self._record = Record(to)
        self.paths: list[str] = []
        self.beside: list[str] = []
        self.refused: list[tuple[str, str]] = []

    def start(self) -> None:
        """Begin another transfer."""
        self.paths, self.beside, self.refused = [], [], []
        self._sound.clear()

    def room_bytes(self) -> int:
        """Return how much may still be written here."""
        return max(0, shutil.disk_usage(self._root).free - _ROOM_KEPT_BYTES)

    def make_folder(self, row: Row) -> None:
        """Make a folder, and those above it."""
        if not self._open_way(f"{row.path}/"):
            self.refuse(row.path, IN_ITS_PLACE)

    def make_link(self, row: Row) -> None:
        """Make a link that stays in the folder; any other is refused."""
        path = self._root + row.path
        if not is_inside(row):
            self.refuse(row.path, f"it is a link that leads out of the folder, to {row.target!r:.100}")
        elif not self._open_way(row.path) or (os.path.lexists(path) and not os.path.islink(path)):
            self.refuse(row.path, IN_ITS_PLACE)
        elif not os.path.islink(path):
            os.symlink(row.target, path)
        elif os.readlink(path) != row.target:
            os.unlink(path)
            os.symlink(row.target, path)

    def opens(self, row: Row) -> bool:
        """Make the folders above a file. Returns: whether the way there leads through true folders only."""
        return self._open_way(row.path)

    def refuse(self, path: str, reason: str) -> None:
        """Remember what is not taken."""
        self.refused.append((path, reason))

    def want(self, row: Row) -> tuple[int, str] | None:
        """Return how many bytes of a file are here, with their hash; None where nothing has to come."""
        known, facts = self._record.get(row.path), _look(self._root + row.path)
        if facts is None:
            return self._partial(row)
        if not stat.S_ISREG(facts.st_mode):
            return 0, ""
        is_ours = known is not None and known.is_home(facts)
        if known is not None and known.is_row(row):
            if is_ours and known.mode != row.mode:
                self._finish(row, known._replace(mode=row.mode))
            return None
        if facts.st_size > row.size:
            return 0, ""
        if known is not None and is_ours:
            return known.size, known.sha256
        return facts.st_size, _hash_of(self._root + row.path)

    def receive(self, row: Row, wire: Wire, *, number: int, start: int, limit_bytes: int) -> int:
        """Receive one file. Returns: how many bytes travelled."""
        value, data = wire.get()
        if value.get("file") != number:
            raise self._hostile(f"a file that was not asked for, in place of {row.path!r:.200}")
        if "gone" in value:
            return 0
        begin = value.get("from")
        if begin not in (0, start):
            raise self._hostile(f"{row.path!r:.200} from the middle")
        return self._write(row, wire, (value, data), start=begin, limit_bytes=limit_bytes)

    def save(self) -> None:
        """Write down what came."""
        self._record.save()

    def _write(
        self, row: Row, wire: Wire, first: tuple[dict[str, Any], bytes], *, start: int, limit_bytes: int
    ) -> int:
        path, part = self._root + row.path, self._part(row)
        target = path if start and _look(path) is not None else part
        engine = self._engine_at(row, target, start)
        size = start

        def write(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            if size > limit_bytes:
                raise self._hostile(f"more of {row.path!r:.200} than there is")
            engine.update(chunk)
            _write_all(file, chunk)

        with open(target, "ab" if start else "wb", buffering=0) as file:
            end = receive_bytes(wire, *first, write)
        if engine.hexdigest() != end.get("sha256"):
            os.truncate(target, start)
            raise NodeError(f"{row.path!r:.200} was damaged on its way from {self._node}.", "Try again.")
        self._put_in_place(row, target, size=size, engine=engine, changed_ns=end.get("changed_ns"))
        return size - start

    def _put_in_place(self, row: Row, target: str, *, size: int, engine: Any, changed_ns: Any) -> None:
        path, digest = self._root + row.path, engine.hexdigest()
        known = Known(size, changed_ns if type(changed_ns) is int else 0, row.mode, 0, digest)
        self._hashes[row.path] = size, engine
        facts = _look(path) if target != path else None
        if facts is not None and stat.S_ISDIR(facts.st_mode) and _remove_empty(path):
            facts = None
        if facts is not None and _is_equal(path, facts, size=size, digest=digest):
            os.unlink(target)
            self._finish(row, known)
        elif facts is None or self._is_ours(row, facts):
            if target != path:
                os.replace(target, path)
            self._finish(row, known)
            self.paths.append(row.path)
        else:
            beside = f"{row.path}.remote-{digest[:8]}"
            os.replace(target, self._root + beside)
            self.beside.append(beside)
            self._record.set(row.path, known)

    def _is_ours(self, row: Row, facts: os.stat_result) -> bool:
        known = self._record.get(row.path)
        return known is not None and known.is_home(facts)

    def _finish(self, row: Row, known: Known) -> None:
        path = self._root + row.path
        os.chmod(path, row.mode & _MODES | _OWNER)
        if known.changed_ns:
            os.utime(path, ns=(known.changed_ns, known.changed_ns))
        self._record.set(row.path, known._replace(home_ns=os.lstat(path).st_mtime_ns))

    def _partial(self, row: Row) -> tuple[int, str]:
        part = self._part(row)
        facts = _look(part)
        if facts is None or not stat.S_ISREG(facts.st_mode) or facts.st_size > row.size:
            return 0, ""
        return facts.st_size, _hash_of(part)

    def _part(self, row: Row) -> str:
        above, slash, name = row.path.rpartition("/")
        own = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]  # as long as any name may be
        return f"{self._root}{above}{slash}.launcher-{own}.part"

    def _engine_at(self, row: Row, path: str, start: int) -> Any:
        """Return the hash of the first `start` bytes of a file, remembered where it grew under our eyes."""
        known = self._hashes.get(row.path)
        if known and known[0] == start:
            return known[1].copy()
        engine = hashlib.sha256()
        if start:
            _hash_into(engine, path)
        return engine

    def _open_way(self, path: str) -> bool:
        """Make the folders above a path. Returns: whether all of them are true folders, no links."""
        above = path.rpartition("/")[0]
        if not above or above in self._sound:
            return True
        if not self._open_way(above):
            return False
        folder = self._root + above
        facts = _look(folder)
        if facts is None:
            os.mkdir(folder)
        elif not stat.S_ISDIR(facts.st_mode) and not self._clear(folder, above, facts):
            return False
        self._sound.add(above)
        return True

    def _clear(self, folder: str, path: str, facts: os.stat_result) -> bool:
        """Put a folder in place of a file that is as it came."""
        known = self._record.get(path)
        if known is None or not known.is_home(facts) or not stat.S_ISREG(facts.st_mode):
            return False
        os.unlink(folder)
        os.mkdir(folder)
        return True

    def _hostile(self, what: str) -> HostileNodeError:
        return HostileNodeError(
            f"{self._node} sends what no honest node sends: {what}.", "Do not trust that computer."
        )


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _remove_empty(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError:
        return False
    return True


def _is_equal(path: str, facts: os.stat_result, *, size: int, digest: str) -> bool:
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size and _hash_of(path) == digest


def _write_all(file: Any, chunk: bytes) -> None:
    ahead = memoryview(chunk)
    while ahead:
        ahead = ahead[file.write(ahead) :]


def _hash_of(path: str) -> str:
    engine = hashlib.sha256()
    _hash_into(engine, path)
    return engine.hexdigest()


def _hash_into(engine: Any, path: str) -> None:
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            engine.update(chunk)
