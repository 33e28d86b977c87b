"""A run's own copy of the code, and what the run leaves behind.

Each run starts in a copy of the snapshot that nobody else sees. A copy that a run left exactly as it was
given (same inodes, modes, sizes, times of content and of status, nothing new, nothing gone) serves the next
run of the job: the kernel sets the time of status at each change and no program can set it back. It stamps
by a clock of coarse ticks, so a copy that was made in the very tick in which its run began is not used again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from launcher.runner import names
from launcher.runner.disk import write_all
from launcher.runner.folders import Mark, Marks, mark_of, marks_below, remove_tree, walk

if TYPE_CHECKING:
    from launcher.runner.batch import Batch

try:
    import fcntl
except ImportError:  # the module is read, not used, where the client runs on Windows
    fcntl = None  # type: ignore[assignment]

_FICLONE = 0x40049409
_CHUNK_BYTES = 1024 * 1024


class Workspaces:
    """Give each run its work folder and take it back."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._spares: dict[int, list[tuple[str, Marks]]] = {}
        self._marks: dict[int, Marks] = {}
        self._earlier: dict[int, Marks] = {}
        self._made = 0
        remove_tree(batch.path(names.SPARES))  # of a predecessor that was killed

    def give(self, run: int, *, is_new: bool = False) -> None:
        """Make the work folder of a run.

        Args:
            is_new: nothing of the run can be there yet.

        Raises:
            OSError: it could not be made, on a full disk for example.
        """
        work = self._batch.run_path(run, names.WORK)
        self._earlier[run] = {} if is_new else marks_below(self._batch.run_path(run, names.OUTPUTS))
        if not is_new:
            remove_tree(work)
        spares = self._spares.get(self._batch.runs[run]["job"])
        if spares:
            folder, self._marks[run] = spares.pop()
            os.rename(folder, work)
        else:
            self._marks[run] = self.copy(run, work)

    def copy(self, run: int, work: str) -> Marks:
        """Copy the snapshot of a run's job to a folder that is not there yet. Returns: what it holds.

        Raises:
            OSError: it could not be copied.
        """
        code = self._batch.path(names.CODE, self._batch.job_of(run)["name"])
        return _copy_tree(self._batch.listing_of(run), code, work)

    def take_back(self, run: int, *, since_ns: int) -> None:
        """Move new and changed files of a run to its outputs, and clear its work folder away.

        A file that an earlier attempt left in the outputs is replaced; one that this attempt put there itself
        is kept, and the one from the work folder stands beside it as `name~1`.

        Args:
            since_ns: when this attempt began, by `file_time_ns`.

        Raises:
            OSError: a file could not be moved; the work folder is left as it is then.
        """
        work, outputs = self._batch.run_path(run, names.WORK), self._batch.run_path(run, names.OUTPUTS)
        marks, earlier, found = self._marks.pop(run), self._earlier.pop(run), marks_below(work)
        if found and found == marks and all(mark.status_ns < since_ns for mark in marks.values()):
            self._keep_spare(run, work, marks)
            return
        for path, mark in found.items():
            if marks.get(path) != mark and (stat.S_ISREG(mark.mode) or stat.S_ISLNK(mark.mode)):
                _move(f"{work}/{path}", outputs, path, earlier)
        remove_tree(work)

    def drop(self, run: int) -> None:
        """Clear the work folder of a run that will not start, be it a predecessor's."""
        self._marks.pop(run, None)
        self._earlier.pop(run, None)
        remove_tree(self._batch.run_path(run, names.WORK))

    def drop_all(self) -> None:
        """Clear every work folder that no run uses."""
        for run in tuple(self._marks):
            self.drop(run)
        self._spares.clear()
        remove_tree(self._batch.path(names.SPARES))

    def _keep_spare(self, run: int, work: str, marks: Marks) -> None:
        self._made += 1
        spare = self._batch.path(names.SPARES, str(self._made))
        if self._made == 1:
            os.makedirs(self._batch.path(names.SPARES), exist_ok=True)
        os.rename(work, spare)
        self._spares.setdefault(self._batch.runs[run]["job"], []).append((spare, marks))


def drop_checkpoint(batch: Batch, run: int) -> None:
    """Remove what a run would have gone on from."""
    if batch.job_of(run).get("checkpoint_s"):
        remove_tree(batch.run_path(run, names.CHECKPOINT))


def list_results(run: str) -> dict[str, int]:
    """Return the sizes of the files that a run left, by path in its folder; links are not followed."""
    found: dict[str, int] = {}
    for name in (names.LOG, names.HISTORY, names.METRICS):
        with contextlib.suppress(OSError):
            _take_result(found, name, f"{run}/{name}", os.lstat(f"{run}/{name}"))
    for path, entry in sorted(walk(f"{run}/{names.OUTPUTS}")):
        _take_result(found, f"{names.OUTPUTS}/{path}", entry.path, entry.stat(follow_symlinks=False))
    return found


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
    return marks_below(work)


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


def _move(source: str, outputs: str, path: str, earlier: Marks) -> None:
    number, free = 0, path
    while _is_taken(f"{outputs}/{free}", earlier.get(free)):
        number += 1
        free = f"{path}~{number}"
    try:
        os.makedirs(os.path.dirname(f"{outputs}/{free}"), exist_ok=True)
    except RecursionError as error:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)) from error
    os.rename(source, f"{outputs}/{free}")


def _is_taken(path: str, earlier: Mark | None) -> bool:
    try:
        mark = mark_of(os.lstat(path))
    except OSError:
        return False
    return mark != earlier or stat.S_ISDIR(mark.mode)


def _take_result(found: dict[str, int], name: str, path: str, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        found[name] = status.st_size
        if not status.st_mode & stat.S_IRUSR:
            with contextlib.suppress(OSError):
                os.chmod(path, stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
