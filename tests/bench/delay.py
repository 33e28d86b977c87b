"""A line to a server on this computer that takes its time: every byte comes later, none is lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 18


@dataclass
class Line:
    """A delayed port, and how many bytes went through it."""

    port: int = 0
    passed_bytes: int = 0


@contextmanager
def delayed(port: int, *, one_way_s: float, address: str = "127.0.0.1") -> Iterator[Line]:
    """Listen on another port, and maybe address, and pass on what comes, both ways, so much later."""
    line, loop, is_ready = Line(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(
            lambda reader, writer: _join(reader, writer, port, line, one_way_s), address, 0
        )
        line.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        async with server:
            await server.serve_forever()

    thread = threading.Thread(target=_run, args=(loop, serve()), daemon=True)
    thread.start()
    is_ready.wait()
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop, first: object) -> None:
    asyncio.set_event_loop(loop)
    loop.create_task(first)  # type: ignore[arg-type]
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(asyncio.sleep(0))  # what they closed is closed in the next turn
    loop.close()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, line: Line, one_way_s: float
) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(
            _pass(reader, back, line, one_way_s),
            _pass(there, writer, line, one_way_s),
            return_exceptions=True,
        )
    except asyncio.CancelledError:
        return  # the line is taken down, which Python 3.11 would tell as an error of its own
    finally:
        writer.close()
        back.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Line, one_way_s: float
) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            at, data = await waiting.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    while data := await reader.read(_CHUNK_BYTES):
        line.passed_bytes += len(data)
        waiting.put_nowait((loop.time() + one_way_s, data))
    waiting.put_nowait((loop.time() + one_way_s, b""))
    await delivery
