"""Copy a scanned folder so that nothing done to the original later reaches the copy. Writes below its target only, makes no hard link.

A file system that can share blocks until one side is written (reflink: xfs, btrfs, bcachefs) does so; elsewhere bytes are copied. Either way the
hash of what was written must be the one that the scan saw. Nothing is fsynced: the user still has the original, and 2,000 fsyncs
take seconds.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, BinaryIO

from launcher.errors import LauncherError, UsageError
from launcher.snapshot.scan import CHUNK_BYTES, open_flags
from launcher.snapshot.show import show

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.snapshot.tree import Entry, Tree

try:
    from fcntl import ioctl
except ImportError:  # Windows: there bytes are copied
    ioctl = None  # type: ignore[assignment]

FICLONE = 0x40049409  # linux/fs.h; macOS answers that it does not know it
WRITABLE = 0o222
_FOLDER_WHILE_WRITING = 0o700


def copy_tree(tree: Tree, folder: Path, to: Path) -> None:
    """Copy what `tree` lists from `folder` to the new folder `to`; modes (less every right to write) and times of change are kept.

    Raises:
        UsageError: the folder is no longer what was scanned.
        LauncherError: the copy could not be written.
    """
    try:
        _copy_entries(tree, folder, to)
    except OSError as error:
        raise LauncherError(
            f"The code could not be copied to {show(str(to))}: {error.strerror}.",
            "Make room there, then submit again.",
        ) from error


def _copy_entries(tree: Tree, folder: Path, to: Path) -> None:
    os.makedirs(to, mode=_FOLDER_WHILE_WRITING)
    folders = [entry for entry in tree.entries if entry.kind == "dir"]
    for entry in tree.entries:
        source, target = os.path.join(folder, entry.path), os.path.join(to, entry.path)
        match entry.kind:
            case "dir":
                os.mkdir(target, _FOLDER_WHILE_WRITING)
            case "link":
                os.symlink(entry.target or "", target)
            case "file":
                _copy_file(entry, source, target)
    for entry in reversed(folders):  # last, and the innermost first: writing in a folder changes its time
        _finish_folder(os.path.join(folder, entry.path), os.path.join(to, entry.path), mode=entry.mode)
    _finish_folder(folder, to, mode=os.stat(folder).st_mode)


def _copy_file(entry: Entry, source: str, target: str) -> None:
    with _open_source(source) as reader, open(target, "x+b", buffering=0) as writer:
        written = _hash_of(writer) if _clone(reader, writer) else _copy_bytes(reader, writer)
        changed_ns = os.fstat(reader.fileno()).st_mtime_ns
    if written != entry.sha256:
        raise _changed(source)
    os.utime(target, ns=(changed_ns, changed_ns))
    os.chmod(target, entry.mode & ~WRITABLE)


def _open_source(path: str) -> BinaryIO:
    try:
        return open(os.open(path, open_flags()), "rb", buffering=0)
    except OSError as error:
        raise _changed(path) from error


def _clone(reader: BinaryIO, writer: BinaryIO) -> bool:
    """Let the file system share the blocks; False where it cannot."""
    if ioctl is None:
        return False
    try:
        ioctl(writer.fileno(), FICLONE, reader.fileno())
    except OSError:
        return False
    return True


def _hash_of(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_bytes(reader: BinaryIO, writer: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := reader.read(CHUNK_BYTES):
        digest.update(chunk)
        _write_all(writer, chunk)
    return digest.hexdigest()


def _write_all(writer: BinaryIO, chunk: bytes) -> None:
    """Write the whole of it: one call may write less, and only the next one then says that the disk is full."""
    ahead = memoryview(chunk)
    while ahead:
        ahead = ahead[writer.write(ahead) :]


def _finish_folder(source: str | Path, target: str | Path, *, mode: int) -> None:
    try:
        changed_ns = os.stat(source, follow_symlinks=False).st_mtime_ns
    except OSError as error:
        raise _changed(str(source)) from error
    os.utime(target, ns=(changed_ns, changed_ns))
    os.chmod(target, mode & 0o777 & ~WRITABLE)


def _changed(path: str) -> UsageError:
    return UsageError(
        f"{show(path)} changed while it was copied.", "Let it be for a moment, then submit again."
    )
