"""Durable files: on disk when the call returns, whole or not at all. Knows nothing of runs."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_encode = json.JSONEncoder(allow_nan=False).encode
Files = dict[str, tuple[int, str]]  # size in bytes and sha256 by path

_CHUNK_BYTES = 1024 * 1024
_BALLAST_BYTES = 1024 * 1024
_ROOMY_BYTES = 4 * _BALLAST_BYTES


class Disk:
    """Write files that survive a power cut.

    A ballast file is given up when the disk is full, so that the last states can still be written.

    Args:
        ballast: where the ballast lies.
    """

    def __init__(self, ballast: str) -> None:
        self.fsyncs = 0
        self.fsync_s = 0.0
        self._ballast = ballast

    def replace(self, path: str, content: bytes) -> None:
        """Put `content` at `path`, atomically, fsynced before; the old file stays where that fails."""
        try:
            self._replace(path, content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self.drop_ballast():
                raise
            self._replace(path, content)

    def sync(self, path: str) -> None:
        """Flush a file or a folder to disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_and_hash(self, path: str) -> tuple[int, str]:
        """Flush a file to disk. Returns: its size in bytes and its sha256."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._fsync(descriptor)
            return hash_open(descriptor)
        finally:
            os.close(descriptor)

    def take_ballast(self) -> None:
        """Reserve room for the last states; on an almost full disk none, since runs need what there is."""
        with contextlib.suppress(OSError):
            room = os.statvfs(os.path.dirname(self._ballast))
            is_roomy = room.f_bavail * room.f_frsize >= _ROOMY_BYTES
            write_file(self._ballast, bytes(_BALLAST_BYTES if is_roomy else 0))

    def drop_ballast(self) -> bool:
        """Give the reserve up. Returns: whether there was one."""
        try:
            os.unlink(self._ballast)
        except OSError:
            return False
        return True

    def _replace(self, path: str, content: bytes) -> None:
        new = path + ".new"
        try:
            self._write(new, content)
            os.replace(new, path)
        except OSError:
            unlink(new)
            raise

    def _write(self, path: str, content: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(descriptor, content)
            self._fsync(descriptor)
        finally:
            os.close(descriptor)

    def _fsync(self, descriptor: int) -> None:
        begin = time.perf_counter()
        os.fsync(descriptor)
        self.fsync_s += time.perf_counter() - begin
        self.fsyncs += 1


class Journal:
    """Append lines of JSON; a line torn by a crash or a full disk never spoils the next one."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._torn = not _ends_with_newline(self._descriptor)

    def append(self, **event: Any) -> None:
        """Append one event; on a full disk it is left out, since states and not the journal are the truth."""
        line = to_json(event) + b"\n"
        if self._torn:
            line = b"\n" + line
        try:
            self._torn = os.write(self._descriptor, line) != len(line)
        except OSError:
            self._torn = True

    def close(self) -> None:
        """Flush and close."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def to_json(value: Any) -> bytes:
    """Encode for a file: ASCII, so that any name survives; NaN refused."""
    return _encode(value).encode()


def read_json(path: str) -> Any:
    """Return the content of a JSON file, None where it is missing or torn."""
    try:
        return json.loads(read_bytes(path))
    except (OSError, ValueError):
        return None


def read_lines(path: str) -> Iterator[dict[str, Any]]:
    """Yield the objects in a file of JSON lines; torn lines are passed over, a missing file has none."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        yield from (value for value in map(_parse, file) if isinstance(value, dict))


def read_bytes(path: str) -> bytes:
    """Return what a file holds; half the calls of `open`, which count where a run takes a millisecond."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(descriptor, _CHUNK_BYTES), b""))
    finally:
        os.close(descriptor)


def hash_file(path: str) -> tuple[int, str]:
    """Return size in bytes and sha256 of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return hash_open(descriptor)
    finally:
        os.close(descriptor)


def hash_open(descriptor: int) -> tuple[int, str]:
    """Return size in bytes and sha256 of a regular file, from where it is read on."""
    digest, size = hashlib.sha256(), 0
    is_more = True
    while is_more:
        chunk = os.read(descriptor, _CHUNK_BYTES)
        digest.update(chunk)
        size += len(chunk)
        is_more = len(chunk) == _CHUNK_BYTES  # a regular file gives less at its end only
    return size, digest.hexdigest()


def hash_bytes(content: bytes) -> tuple[int, str]:
    """Return size in bytes and sha256 of a file of this content."""
    return len(content), hashlib.sha256(content).hexdigest()


def write_file(path: str, content: bytes) -> None:
    """Write a file in place, not durably; on a full disk nothing of it stays."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(descriptor, content)
    except OSError:
        unlink(path)
        raise
    finally:
        os.close(descriptor)


def unlink(path: str) -> None:
    """Remove a file where there is one."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however many calls it takes."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _ends_with_newline(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
