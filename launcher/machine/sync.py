"""The client's hand on a node: run, start, list, send and receive, over one stream, one thing at a time.

It is brought over the stream itself and leaves nothing behind; it ends with the stream.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from launcher.machine.give import Giver
from launcher.machine.take import Taker
from launcher.machine.tree import Row, walk
from launcher.machine.wire import CHUNK_BYTES, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

_TICK_NS = 50_000_000
_SINGLE = frozenset({"run", "start", "list"})


class Server:
    """Answer one client."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._giver = Giver(wire)
        self._told: dict[str, dict[str, tuple[Any, ...]]] = {}
        self._listed: tuple[str, list[str]] = ("", [])
        self._answers: dict[str, Callable[[dict[str, Any], bytes], None]] = {
            "run": self._run,
            "start": self._start,
            "list": self._list,
            "give": self._give,
            "send": self._send,
        }

    def serve(self) -> None:
        """Answer until the client is gone."""
        self._say(
            home=os.path.expanduser("~"),
            python=sys.executable,
            version=list(sys.version_info[:3]),
            platform=sys.platform,
        )
        while True:
            try:
                asked, data = self._wire.get()
            except EOFError:
                return
            try:
                self._answers[asked["op"]](asked, data)
            except ConnectionError:
                return
            except OSError as error:
                name = error.filename if isinstance(error.filename, str) else ""
                self._say(error=f"{name}: {error.strerror}" if name else str(error.strerror or error))
                if asked["op"] not in _SINGLE:
                    return  # more of what was asked is on its way: where it ends cannot be told

    def _say(self, **value: Any) -> None:
        self._wire.put(value)
        self._wire.flush()

    def _run(self, asked: dict[str, Any], data: bytes) -> None:
        given = bytearray(data)
        while len(given) < asked["stdin"]:
            given += self._wire.get()[1]
        try:
            done = subprocess.run(
                asked["argv"],
                input=bytes(given),
                capture_output=True,
                timeout=asked["timeout_s"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            self._say(timeout=True)
            return
        for name, content in (("stdout", done.stdout), ("stderr", done.stderr)):
            for start in range(0, len(content), CHUNK_BYTES):
                self._wire.put({"to": name}, content[start : start + CHUNK_BYTES])
        self._say(exit_code=done.returncode)

    def _start(self, asked: dict[str, Any], _data: bytes) -> None:
        with open(asked["log"], "ab") as streams:
            subprocess.Popen(
                ["nohup", *asked["argv"]],
                stdin=subprocess.DEVNULL,
                stdout=streams,
                stderr=streams,
                cwd=os.path.expanduser("~"),
                start_new_session=True,
            ).returncode = 0  # nobody waits for it
        self._say(started=True)

    def _list(self, asked: dict[str, Any], _data: bytes) -> None:
        """Tell what is new or changed in a folder since it was last told; at first that is all of it."""
        root = asked["root"]
        if asked.get("anew"):
            self._told.pop(root, None)
        told = self._told.setdefault(root, {})
        new: list[Row] = []
        now_ns = time.time_ns()
        for row, mark in walk(root, asked["exclude"]):
            known = (*row[1:], mark)
            if told.get(row.path) != known:
                new.append(row)
                is_settled = now_ns - max(row.changed_ns, mark[1]) > _TICK_NS
                told[row.path] = known if is_settled else ()
        self._listed = root, [row.path for row in new]
        self._wire.put_rows(new)
        self._say(now=time.time())

    def _give(self, _asked: dict[str, Any], _data: bytes) -> None:
        root, paths = self._listed
        wanted = list(self._wire.get_rows())
        self._giver.give(root, ((number, paths[number], start, digest) for number, start, digest in wanted))
        self._say(given=len(wanted))

    def _send(self, asked: dict[str, Any], _data: bytes) -> None:
        taker = Taker(asked["root"], [Row(*row) for row in self._wire.get_rows()])
        need, maybe = taker.compare()
        self._wire.put_rows(need)
        self._wire.put_rows(maybe)
        self._wire.flush()
        more: list[int] = []
        if maybe:
            known = list(self._wire.get_rows())
            more = [number for number, digest in known if not taker.settle(number, digest)]
            self._wire.put_rows(more)
            self._wire.flush()
        wrong = [said for _ in range(len(need) + len(more)) if (said := taker.take(self._wire))]
        taker.finish()
        self._say(taken=len(need) + len(more), wrong=wrong[:5])


def main() -> None:
    """Serve standard input and output."""
    reader, writer = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    # What a program that we start says by mistake must not stand among the messages.
    os.dup2(null, 0)
    os.dup2(null, 1)
    Server(Wire(lambda size: os.read(reader, size), lambda data: _write_all(writer, data))).serve()


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
