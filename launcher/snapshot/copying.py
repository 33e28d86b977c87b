"""Copy a scanned folder, out of reach of later edits. Writes only below its target; never a hard link.

A file system that can share blocks until one side is written (reflink: xfs, btrfs) does so; elsewhere bytes
are copied. Either way the hash of what was written must be the one that the scan saw. Nothing is fsynced:
the user still has the original, and 2,000 fsyncs take seconds.
"""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

from launcher.errors import RefusedHereError, UsageError
from launcher.snapshot.scanning import CHUNK_BYTES, PERMISSIONS, open_source
from launcher.snapshot.show import show

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

    from launcher.snapshot.tree import Entry, Tree

if sys.platform == "linux":
    from fcntl import ioctl

FICLONE = 0x40049409  # linux/fs.h
WRITABLE = 0o222
_FOLDER_WHILE_WRITING = 0o700


def copy_tree(tree: Tree, folder: Path, to: Path) -> None:
    """Copy what `tree` lists from `folder` to the new folder `to`, which becomes read-only.

    Modes (less every right to write), times of change, links and empty folders are kept.

    Raises:
        UsageError: the folder is no longer what was scanned.
        RefusedHereError: the copy could not be written.
    """
    try:
        _copy_entries(tree, folder.resolve(), to)
    except OSError as error:
        raise RefusedHereError(
            f"The code could not be copied to {show(str(to))}: {error.strerror}.",
            "Mend that (most often the disk is full), then submit again.",
        ) from error


def _copy_entries(tree: Tree, folder: Path, to: Path) -> None:
    to.mkdir(parents=True)
    to.chmod(_FOLDER_WHILE_WRITING)
    for entry in tree.entries:
        source, target = folder / entry.path, to / entry.path
        if entry.kind == "dir":
            target.mkdir(_FOLDER_WHILE_WRITING)
        elif entry.target is not None:
            target.symlink_to(entry.target)
        else:
            _copy_file(entry, source, target)
    # Last, and the innermost first: writing in a folder changes its time.
    for entry in reversed([entry for entry in tree.entries if entry.kind == "dir"]):
        _finish_folder(folder / entry.path, to / entry.path)
    _finish_folder(folder, to)


def _copy_file(entry: Entry, source: Path, target: Path) -> None:
    with _open(source) as reader, target.open("x+b", buffering=0) as writer:
        written = _hash_of(writer) if _clone(reader, writer) else _copy_bytes(reader, writer)
        changed_ns = os.fstat(reader.fileno()).st_mtime_ns
    if written != entry.sha256:
        raise _changed(source)
    os.utime(target, ns=(changed_ns, changed_ns))
    target.chmod(entry.mode & ~WRITABLE)


def _open(source: Path) -> FileIO:
    try:
        return open_source(source)
    except OSError as error:
        raise _changed(source) from error


def _clone(reader: FileIO, writer: FileIO) -> bool:
    """Let the file system share the blocks; False where it cannot."""
    if sys.platform != "linux":
        return False
    try:
        ioctl(writer.fileno(), FICLONE, reader.fileno())
    except OSError:
        return False
    return True


def _hash_of(file: FileIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_bytes(reader: FileIO, writer: FileIO) -> str:
    digest = hashlib.sha256()
    while chunk := reader.read(CHUNK_BYTES):
        digest.update(chunk)
        _write_all(writer, chunk)
    return digest.hexdigest()


def _write_all(writer: FileIO, chunk: bytes) -> None:
    """Write the whole of it: a call may write less, and only the next one then says that the disk is full."""
    ahead = memoryview(chunk)
    while ahead:
        ahead = ahead[writer.write(ahead) :]


def _finish_folder(source: Path, target: Path) -> None:
    try:
        status = source.lstat()
    except OSError as error:
        raise _changed(source) from error
    os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
    target.chmod(status.st_mode & PERMISSIONS & ~WRITABLE)


def _changed(path: Path) -> UsageError:
    return UsageError(
        f"{show(str(path))} changed while it was copied.", "Let it be for a moment, then submit again."
    )
