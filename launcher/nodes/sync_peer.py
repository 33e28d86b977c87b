"""The client's end of the stream to a node: brings the other end's program, asks, and says why it failed.

Nothing needs to be installed there but Python: a line of it reads the program from the stream and runs it.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import launcher.machine
from launcher.errors import NodeError
from launcher.machine.wire import CHUNK_BYTES, Wire, WireError
from launcher.nodes.node import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MODULES = ("wire", "tree", "give", "take", "sync")
_TALK_S = 60.0
_MORE_S = 30.0
_OLDEST = (3, 10)
_MOST_OUTPUT_BYTES = 1 << 26


class Pipe(Protocol):
    """A program on a node, by its streams."""

    def receive(self, size: int) -> bytes:
        """Return some bytes, at most so many; none at the end.

        Raises:
            NodeError: nothing came for too long, or the connection is lost.
        """

    def send(self, data: bytes) -> None:
        """Send all of it."""

    def set_timeout(self, seconds: float) -> None:
        """Say how long to wait for the next bytes."""

    def last_words(self) -> str:
        """Return what the program said on its error stream before it ended."""

    def close(self) -> None:
        """End it."""


class Peer:
    """The program on a node.

    Args:
        pipe: its streams; it was started with `server_argv`.
        name: of the node, for messages.
    """

    def __init__(self, pipe: Pipe, *, name: str) -> None:
        self.name, self.is_broken = name, False
        self._pipe = pipe
        self.wire = Wire(pipe.receive, pipe.send)
        self._about: dict[str, Any] = {}
        with self.talking():
            pipe.send(_program())

    @property
    def about(self) -> dict[str, Any]:
        """What the node says of itself: home folder of the user, interpreter, its version, platform."""
        if not self._about:
            with self.talking():
                self._about = _checked(self.wire.get()[0], self.name)
        return self._about

    @contextmanager
    def talking(self, timeout_s: float = _TALK_S) -> Iterator[Wire]:
        """Talk; what is broken off in the middle, be it by Ctrl-C, ends the stream.

        Args:
            timeout_s: the longest silence.

        Raises:
            NodeError: it does not answer, is gone, or says what is no answer.
        """
        self._pipe.set_timeout(timeout_s)
        try:
            yield self.wire
        except EOFError as error:
            self.close()
            said = self._pipe.last_words() or "it said nothing more"
            raise NodeError(
                f"{self.name}: the program there ended: {said}.", "Mend that, then try again."
            ) from error
        except WireError as error:
            self.close()
            raise NodeError(f"{self.name} gives no sensible answer: {error}.", "Try again.") from error
        except BaseException:
            self.close()
            raise

    def ask(self, op: str, **fields: Any) -> None:
        """Ask for something; what the node says of itself comes before its first answer."""
        self.wire.put({"op": op, **fields})
        self.hear()

    def hear(self) -> None:
        """Send what waits, and be ready for the answer."""
        self.wire.flush()
        if not self._about:
            self._about = _checked(self.wire.get()[0], self.name)

    def answer(self) -> dict[str, Any]:
        """Return the answer.

        Raises:
            NodeError: the node could not do it.
        """
        value, _ = self.wire.get()
        if "error" in value:
            raise NodeError(f"{self.name}: {value['error']}.", "Mend that, then try again.")
        return value

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes) -> Completed:
        """Run a program to its end."""
        asked = {"op": "run", "argv": list(argv), "timeout_s": timeout_s, "stdin": len(stdin)}
        with self.talking(timeout_s + _MORE_S) as wire:
            wire.put(asked)
            for start in range(0, len(stdin), CHUNK_BYTES):
                wire.put({}, stdin[start : start + CHUNK_BYTES])
            self.hear()
            said = {"stdout": bytearray(), "stderr": bytearray()}
            value, data = wire.get()
            while value.get("to") in said and len(said["stdout"]) + len(said["stderr"]) < _MOST_OUTPUT_BYTES:
                said[value["to"]] += data
                value, data = wire.get()
        if "timeout" in value:
            raise NodeError(f"{argv[0]} did not end within {timeout_s:g} s.", "Try again.")
        if "error" in value:
            raise NodeError(
                f"{argv[0]} could not be started on {self.name}: {value['error']}.",
                "Is it installed there, and on PATH?",
            )
        return Completed(int(value["exit_code"]), bytes(said["stdout"]), bytes(said["stderr"]))

    def start(self, argv: Sequence[str], *, log: str) -> None:
        """Start a program that outlives us."""
        with self.talking():
            self.ask("start", argv=list(argv), log=log)
            value, _ = self.wire.get()
        if "error" in value:
            raise NodeError(
                f"The runner could not be started on {self.name}: {value['error']}.",
                "Free some room there, then resume.",
            )

    def close(self) -> None:
        """Hang up."""
        self.is_broken = True
        self._pipe.close()


def server_argv(python: str) -> list[str]:
    """Return the command that runs the program which comes over its standard input."""
    # Without a quote, backslash or newline in it, any login shell hands it on as it is.
    reader = "io.BufferedReader(io.FileIO(0,closefd=False),1)"
    code = f"import io,zlib;exec(zlib.decompress({reader}.read({len(_program())})))"
    return [python, "-I", "-S", "-c", code]


@cache
def _program() -> bytes:
    folder = Path(launcher.machine.__file__).parent
    texts = [("launcher", ""), ("launcher.machine", "")]
    texts += [(f"launcher.machine.{name}", (folder / f"{name}.py").read_text("utf-8")) for name in _MODULES]
    return zlib.compress(_LOADER.format(texts=texts).encode(), 9)


_LOADER = """\
import sys, types
for name, text in {texts!r}:
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
module.main()
"""


def _checked(about: dict[str, Any], name: str) -> dict[str, Any]:
    version = tuple(about.get("version") or ())
    if not version or not isinstance(about.get("home"), str) or not isinstance(about.get("python"), str):
        raise WireError("not our program")
    if version < _OLDEST:
        raise NodeError(
            f"{name} has Python {version[0]}.{version[1]}; the runner needs 3.10 or newer.",
            "Install a newer one there as python3.",
        )
    return about
