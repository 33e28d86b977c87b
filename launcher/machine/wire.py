"""Messages between the client and the program that it brings to a node: a JSON object, and bytes behind it.

Both ends use it; what comes in is bounded before anything of it is kept.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CHUNK_BYTES = 1 << 18
_HEAD = struct.Struct(">II")
_MOST_JSON_BYTES = 1 << 20
_MOST_DATA_BYTES = 1 << 20
_MOST_ROWS_BYTES = 1 << 25
_FLUSH_BYTES = 1 << 17
_ROWS = 2000


class WireError(Exception):
    """The other end does not speak the protocol; its text says how."""


class Wire:
    """Two streams of bytes as messages.

    Args:
        receive: returns some bytes, at most so many; none at the end.
        send: takes bytes, all of them.
    """

    def __init__(self, receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
        self._receive, self._send = receive, send
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._ahead = memoryview(b"")

    def put(self, value: dict[str, Any], data: bytes = b"") -> None:
        """Send a message, soon: small ones travel together until `flush`."""
        text = json.dumps(value, separators=(",", ":")).encode() if value else b""
        self._waiting += (_HEAD.pack(len(text), len(data)), text, data)
        self._waiting_bytes += len(text) + len(data)
        if self._waiting_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            self._send(b"".join(self._waiting))
            self._waiting, self._waiting_bytes = [], 0

    def get(self) -> tuple[dict[str, Any], bytes]:
        """Receive a message.

        Raises:
            EOFError: the other end is gone.
            WireError: this is no message.
        """
        text_bytes, data_bytes = _HEAD.unpack(self._exactly(_HEAD.size))
        if text_bytes > _MOST_JSON_BYTES or data_bytes > _MOST_DATA_BYTES:
            raise WireError(f"a message of {text_bytes + data_bytes:,} bytes")
        value = _parse(self._exactly(text_bytes)) if text_bytes else {}
        if not isinstance(value, dict):
            raise WireError("a message that is no object")
        return value, self._exactly(data_bytes)

    def put_rows(self, rows: Sequence[Any]) -> None:
        """Send a table, compressed, in as many messages as it takes."""
        for start in range(0, len(rows), _ROWS):
            some = json.dumps(rows[start : start + _ROWS], separators=(",", ":")).encode()
            packed = zlib.compress(some, 1)
            for begin in range(0, len(packed), _MOST_DATA_BYTES):
                piece = packed[begin : begin + _MOST_DATA_BYTES]
                self.put({"rows": begin + len(piece) >= len(packed)}, piece)
        self.put({"end": len(rows)})

    def get_rows(self) -> Iterator[Any]:
        """Receive a table, row by row."""
        packed = b""
        while True:
            value, data = self.get()
            if "rows" not in value:
                if "end" not in value:
                    raise WireError(str(value.get("error", "a table without an end")))
                return
            packed += data
            if len(packed) > _MOST_ROWS_BYTES:
                raise WireError("a table that never ends")
            if value["rows"]:
                yield from _unpack(packed)
                packed = b""

    def _exactly(self, size: int) -> bytes:
        found = bytes(self._ahead[:size])
        self._ahead = self._ahead[size:]
        if len(found) == size:
            return found
        pieces, missing = [found], size - len(found)
        while missing:
            piece = self._receive(CHUNK_BYTES)
            if not piece:
                raise EOFError
            self._ahead = memoryview(piece)[missing:]
            pieces.append(piece[:missing])
            missing -= len(pieces[-1])
        return b"".join(pieces)


def _unpack(packed: bytes) -> list[Any]:
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(packed, _MOST_ROWS_BYTES)
    except zlib.error as error:
        raise WireError("a table that is torn") from error
    if not engine.eof:
        raise WireError("a table that is too long")
    rows = _parse(text)
    if not isinstance(rows, list):
        raise WireError("a table that is none")
    return rows


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("a message that is no JSON") from error
