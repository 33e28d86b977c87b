"""What it takes to bring files to a node and home: against rsync and tar over the same sshd.

Ours and theirs connect anew each time. The delayed line takes 20 ms each way.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from launcher.nodes.ssh import SshNode
from launcher.pull import EVERY_S, Puller
from tests.bench.delay import delayed
from tests.bench.project import launcher, project, wait_until_over, write_job
from tests.bench.row import Row, in_turn, seconds
from tests.sshd import running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.delay import Line
    from tests.sshd import Sshd

_FILES, _BYTES = 2000, 60_000_000
_ROUNDS = 3
_ONE_WAY_S = 0.02
_RUNS = 500
_LOOKS = 10


def measure() -> Iterator[Row]:
    with project() as folder, ExitStack() as stack:
        server = stack.enter_context(running_sshd(folder / "sshd"))
        line = stack.enter_context(delayed(server.address.port, one_way_s=_ONE_WAY_S))
        source = _make_files(folder / "source")
        for where, port in (("loopback", server.address.port), ("40 ms", line.port)):
            yield from _measure_sending(folder, server, source, where=where, port=port)
        yield from _measure_pulling(folder, server, line)


def _make_files(folder: Path) -> Path:
    chance = random.Random(1)
    for number in range(_FILES):
        path = folder / f"{number % 40}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(_BYTES // _FILES))
        os.utime(path, (1e9 + number, 1e9 + number))
    return folder


def _measure_sending(folder: Path, server: Sshd, source: Path, *, where: str, port: int) -> Iterator[Row]:
    # Each in a folder of its own: what lies beside would be copied instead of sent.
    ours, theirs = folder / "ours" / "copy", folder / "theirs" / "copy"
    changed = source / "7" / "7.bin"

    def remove() -> None:
        for target in (ours, theirs):
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)

    def touch() -> None:
        changed.write_bytes(random.randbytes(_BYTES // _FILES))

    what = f"{_FILES:,} files, {_BYTES // 10**6} MB, {where}"
    steps = (
        ("first copy", remove, 1.25 if where == "loopback" else 1.0),
        ("no change", lambda: None, 1.0),
        ("one file changed", touch, 1.0),
    )
    for name, prepare, limit in steps:

        def ours_s(prepare: object = prepare) -> float:
            prepare()  # type: ignore[operator]
            return seconds(lambda: _send(server, source, ours, port))

        mine, peer = in_turn(_ROUNDS, ours_s, lambda: seconds(lambda: _rsync(server, source, theirs, port)))
        yield _row(f"{what}: {name}, v rsync -a", mine, peer, limit=limit)


def _send(server: Sshd, source: Path, to: Path, port: int) -> None:
    with server.connect(port=port) as connection:
        node = SshNode(connection, home=PurePosixPath(server.home), python="/usr/bin/python3")
        node.send(source, to=to)


def _rsync(server: Sshd, source: Path, to: Path, port: int) -> None:
    host = f"{server.address.user}@127.0.0.1:{to}/"
    subprocess.run(["rsync", "-a", "-e", _ssh(server, port), f"{source}/", host], check=True)


def _ssh(server: Sshd, port: int) -> str:
    trusted = f"-o UserKnownHostsFile={server.known.path} -o HostKeyAlias=machine"
    return f"ssh -p {port} -i {server.key} -o IdentitiesOnly=yes {trusted}"


def _measure_pulling(folder: Path, server: Sshd, line: Line) -> Iterator[Row]:
    there = server.home / "project"
    there.mkdir()
    write_job(there, repeats=_RUNS, run='["sh", "-c", "seq 200; seq 500 > result.txt"]')
    batch = there / ".launcher" / "batches" / launcher(there, "submit", "job.yaml", "--detach")
    wait_until_over(batch)
    number = iter(range(1000))

    def pull() -> float:
        home = folder / f"home{next(number)}" / "batches" / batch.name
        home.mkdir(parents=True)
        return seconds(lambda: _pull(server, line.port, batch, home))

    def tar() -> float:
        to = folder / f"tar{next(number)}"
        to.mkdir()
        argv = [*_ssh(server, line.port).split(), f"{server.address.user}@127.0.0.1"]
        command = f"{' '.join(argv)} 'tar cf - -C {batch} --exclude=code --exclude=work .' | tar xf - -C {to}"
        return seconds(lambda: subprocess.run(command, shell=True, check=True))

    mine, peer = in_turn(_ROUNDS, pull, tar)
    yield _row(f"pulling {_RUNS} finished runs, verified, 40 ms, v one tar stream", mine, peer, limit=2.0)
    yield _idle(server, line, batch, folder / "idle" / "batches" / batch.name)


def _pull(server: Sshd, port: int, batch: Path, home: Path) -> None:
    with server.connect(port=port) as connection:
        pulled = Puller(_node(connection, batch), home, now=lambda: datetime.now(UTC)).pull()
        assert pulled is not None
        assert (pulled.missing, pulled.ended) == ((), _RUNS)


def _node(connection: object, batch: Path) -> SshNode:
    place = PurePosixPath(batch.parent.parent)
    return SshNode(connection, home=place, python="/usr/bin/python3")  # type: ignore[arg-type]


def _idle(server: Sshd, line: Line, batch: Path, home: Path) -> Row:
    home.mkdir(parents=True)
    with server.connect(port=line.port) as connection:
        puller = Puller(_node(connection, batch), home, now=lambda: datetime.now(UTC))
        for _ in range(2):  # everything is at home then
            puller.pull()
        before = line.passed_bytes
        for _ in range(_LOOKS):
            puller.pull()
        rate = (line.passed_bytes - before) / _LOOKS / EVERY_S / 1000
    return Row("following while nothing happens", f"{rate:.2f} kB/s", "", None, "<= 2 kB/s", rate <= 2)


def _row(what: str, ours: float, peer: float, *, limit: float) -> Row:
    ratio = ours / peer
    return Row(what, f"{ours:.2f} s", f"{peer:.2f} s", ratio, f"<= {limit:g}", ratio <= limit)
