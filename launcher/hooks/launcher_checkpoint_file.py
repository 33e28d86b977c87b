"""One checkpoint as one file: JSON, arrays, a checksum. On disk when written, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"launcher checkpoint 1\n"
_LENGTH_BYTES = 8
_DIGEST_BYTES = 32


class Checkpoint(NamedTuple):
    """What a checkpoint holds: facts for JSON, and the arrays that they name by number."""

    facts: dict[str, Any]
    arrays: list[Any]


def write_checkpoint(path: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint beside `path` and put it there when it is on disk.

    Raises:
        OSError: there is no room; what was at `path` is still there.
    """
    fresh = f"{path}.new"
    try:
        with open(fresh, "wb") as file:
            digest = hashlib.sha256()
            for part in _parts(checkpoint):
                digest.update(part)
                file.write(part)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        raise
    sync(os.path.dirname(path))


def read_checkpoint(path: str) -> Checkpoint | None:
    """Read a checkpoint; None where there is none, or one that is torn or of another version."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        return _parse(memoryview(content))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sync(path: str) -> None:
    """Flush a file or a folder to disk; what is not there needs no flush."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _parts(checkpoint: Checkpoint) -> Iterator[bytes | memoryview]:
    numpy = sys.modules["numpy"]
    arrays = [numpy.array(each, order="C") for each in checkpoint.arrays]  # which keeps 0 dimensions
    described = [[each.dtype.name, each.dtype.str, list(each.shape), each.nbytes] for each in arrays]
    head = json.dumps({"facts": checkpoint.facts, "arrays": described}).encode()
    yield _MAGIC + len(head).to_bytes(_LENGTH_BYTES, "big") + head
    for each in arrays:
        if each.nbytes:
            yield memoryview(each.reshape(-1).view("uint8"))


def _parse(content: memoryview) -> Checkpoint:
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if body[: len(_MAGIC)] != _MAGIC or hashlib.sha256(body).digest() != digest:
        raise ValueError("torn")
    start = len(_MAGIC) + _LENGTH_BYTES
    end = start + int.from_bytes(body[len(_MAGIC) : start], "big")
    head = json.loads(bytes(body[start:end]))
    arrays = []
    for name, code, shape, size in head["arrays"]:
        arrays.append(_make_array(body[end : end + size], name, code, shape))
        end += size
    return Checkpoint(head["facts"], arrays)


def _make_array(content: memoryview, name: str, code: str, shape: list[int]) -> Any:
    numpy = sys.modules["numpy"]
    # Types that packages add to NumPy (bfloat16) have a name and no code; texts the other way round.
    kind = numpy.dtype(name if "V" in code else code)
    return numpy.frombuffer(content, dtype="uint8").view(kind).reshape(shape)
