"""A run's own copy of the code, and what the run leaves behind.

Each run starts in a copy of the snapshot that nobody else sees. A copy that a run left exactly as it was
given (same inodes, sizes, times of content and of status, nothing new, nothing gone) serves the next run of
the job: the kernel sets the time of status at each change and no program can set it back.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.runner import names
from launcher.runner.disk import write_all

if TYPE_CHECKING:
    from launcher.runner.batch import Batch

try:
    import fcntl
except ImportError:  # the module is read, not used, where the client runs on Windows
    fcntl = None  # type: ignore[assignment]

_FICLONE = 0x40049409
_CHUNK_BYTES = 1024 * 1024
_NO_RESULTS = frozenset({"__pycache__"})
_SPARES = ".spares"


class Mark(NamedTuple):
    """By what a file or folder is recognised as unchanged."""

    inode: int
    size: int
    changed_ns: int
    status_ns: int


Marks = dict[str, Mark]


class Workspaces:
    """Give each run its work folder and take it back."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._spares: dict[int, list[tuple[str, Marks]]] = {}
        self._marks: dict[int, Marks] = {}
        self._made = 0

    def give(self, run: int) -> None:
        """Make the work folder of a run.

        Raises:
            OSError: it could not be made, on a full disk for example.
        """
        work = self._batch.run_path(run, names.WORK)
        if os.path.isdir(work):
            remove_tree(work)
        spares = self._spares.get(self._batch.runs[run]["job"])
        if spares:
            folder, self._marks[run] = spares.pop()
            os.rename(folder, work)
        else:
            code = self._batch.path(names.CODE, self._batch.job_of(run)["name"])
            self._marks[run] = _copy_tree(self._batch.listing_of(run), code, work)

    def take_back(self, run: int, *, since_ns: int) -> None:
        """Move new and changed files of a run to its outputs, and clear its work folder away.

        A file that an earlier attempt left in the outputs is replaced; one that this attempt put there itself
        is kept, and the one from the work folder stands beside it as `name~1`.

        Args:
            since_ns: when this attempt began, by the clock of files.

        Raises:
            OSError: a file could not be moved; the work folder is left as it is then.
        """
        work, outputs = self._batch.run_path(run, names.WORK), self._batch.run_path(run, names.OUTPUTS)
        marks, found = self._marks.pop(run), _marks_below(work)
        if found == marks:
            self._keep_spare(run, work, marks)
            return
        for path, mark in found.items():
            if marks.get(path) != mark and not os.path.isdir(f"{work}/{path}"):
                _move(f"{work}/{path}", f"{outputs}/{path}", since_ns=since_ns)
        remove_tree(work)

    def drop(self, run: int) -> None:
        """Clear the work folder of a run that will not start."""
        if self._marks.pop(run, None) is not None:
            remove_tree(self._batch.run_path(run, names.WORK))

    def drop_all(self) -> None:
        """Clear every work folder that no run uses."""
        for run in tuple(self._marks):
            self.drop(run)
        self._spares.clear()
        remove_tree(self._batch.path(_SPARES))

    def _keep_spare(self, run: int, work: str, marks: Marks) -> None:
        self._made += 1
        spare = self._batch.path(_SPARES, str(self._made))
        if self._made == 1:
            os.makedirs(self._batch.path(_SPARES), exist_ok=True)
        os.rename(work, spare)
        self._spares.setdefault(self._batch.runs[run]["job"], []).append((spare, marks))


def remove_tree(folder: str) -> None:
    """Remove a folder, also one in which the run made folders read-only."""
    if not os.path.isdir(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    if os.path.isdir(folder):
        for parent, _, _ in os.walk(folder):
            os.chmod(parent, stat.S_IRWXU)
        shutil.rmtree(folder, ignore_errors=True)


def list_results(run: str) -> list[str]:
    """Return the paths, relative to the run, of the files that it left; links are not followed."""
    own = [name for name in (names.LOG, names.HISTORY, names.METRICS) if os.path.isfile(f"{run}/{name}")]
    return own + [f"{names.OUTPUTS}/{path}" for path in _files_below(f"{run}/{names.OUTPUTS}")]


def hash_file(path: str) -> tuple[int, str]:
    """Return size in bytes and sha256 of a file."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _copy_tree(listing: list[Any], code: str, work: str) -> Marks:
    os.mkdir(work)
    folders = [entry for entry in listing if entry["kind"] == "dir"]
    for entry in folders:
        os.mkdir(f"{work}/{entry['path']}")
    for entry in listing:
        if entry["kind"] != "dir":
            _copy(entry, f"{code}/{entry['path']}", f"{work}/{entry['path']}")
    for entry in reversed(folders):
        os.chmod(f"{work}/{entry['path']}", stat.S_IMODE(entry["mode"]) | stat.S_IRWXU)
    return _marks_below(work)


def _copy(entry: dict[str, Any], source: str, target: str) -> None:
    if entry["kind"] == "link":
        os.symlink(entry["target"], target)
        return
    reader = os.open(source, os.O_RDONLY)
    writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    try:
        times = os.fstat(reader)
        _clone_or_copy(reader, writer)
        os.fchmod(writer, stat.S_IMODE(entry["mode"]))
        os.utime(writer, ns=(times.st_atime_ns, times.st_mtime_ns))
    finally:
        os.close(reader)
        os.close(writer)


def _clone_or_copy(reader: int, writer: int) -> None:
    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError:
        while chunk := os.read(reader, _CHUNK_BYTES):
            write_all(writer, chunk)


def _move(source: str, target: str, *, since_ns: int) -> None:
    number, free = 0, target
    while os.path.lexists(free) and os.lstat(free).st_mtime_ns >= since_ns:
        number += 1
        free = f"{target}~{number}"
    os.makedirs(os.path.dirname(free), exist_ok=True)
    os.rename(source, free)


def _marks_below(folder: str) -> Marks:
    """Return the marks of files, links and folders by path, caches of byte code left out."""
    found: Marks = {}
    for path, entry in _walk(folder):
        status = entry.stat(follow_symlinks=False)
        found[path] = Mark(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def _files_below(folder: str) -> list[str]:
    return [path for path, entry in _walk(folder) if entry.is_file(follow_symlinks=False)]


def _walk(folder: str, prefix: str = "") -> list[tuple[str, os.DirEntry[str]]]:
    found: list[tuple[str, os.DirEntry[str]]] = []
    for entry in _scan(f"{folder}/{prefix}"):
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _NO_RESULTS:
                found += [(path, entry), *_walk(folder, path + "/")]
        elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
            found.append((path, entry))
    return found


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # the run removed it, or forbade it to itself
        return []
