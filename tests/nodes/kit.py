"""The two ends of a transfer in one process, and an end that says whatever a test wants."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from launcher.machine.sync import Server
from launcher.machine.wire import Wire
from launcher.nodes import sync_peer
from launcher.nodes.sync_peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ABOUT = {"home": "/home/me", "python": "/usr/bin/python3", "version": [3, 11, 2], "platform": "linux"}
PATIENCE_S = 30.0


class SocketPipe:
    """One end of a pair of sockets as a program's streams."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours

    def receive(self, size: int) -> bytes:
        return self._ours.recv(size)

    def send(self, data: bytes) -> None:
        self._ours.sendall(data)

    def set_timeout(self, seconds: float) -> None:
        self._ours.settimeout(min(seconds, PATIENCE_S))

    def last_words(self) -> str:
        return "its last words"

    def close(self) -> None:
        self._ours.close()


@contextmanager
def peer_to(answer: Callable[[Wire], None]) -> Iterator[Peer]:
    """Give a peer whose other end is a function, in a thread."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            program = len(sync_peer._program())
            while program:
                program -= len(theirs.recv(program))
            answer(Wire(theirs.recv, theirs.sendall))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    peer = Peer(SocketPipe(ours), name="me@box")
    try:
        yield peer
    finally:
        peer.close()
        thread.join(PATIENCE_S)


@contextmanager
def honest_peer() -> Iterator[Peer]:
    """Give a peer whose other end is the real program."""
    with peer_to(lambda wire: Server(wire).serve()) as peer:
        yield peer


def liar(rows: list[Any], *contents: tuple[dict[str, Any], bytes]) -> Callable[[Wire], None]:
    """Return a node that tells of these rows, and sends these messages when asked for contents."""

    def answer(wire: Wire) -> None:
        wire.put(ABOUT)
        wire.flush()
        try:
            while True:
                asked, _ = wire.get()
                if asked["op"] == "list":
                    wire.put_rows(rows)
                    wire.put({"now": 1.0})
                else:
                    list(wire.get_rows())
                    for value, data in contents:
                        wire.put(value, data)
                    wire.put({"given": 1})
                wire.flush()
        except (EOFError, OSError):
            return

    return answer
