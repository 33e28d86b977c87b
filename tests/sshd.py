"""A real OpenSSH server for tests: on 127.0.0.1, with its own keys, settings and HOME."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.nodes.ssh_address import Address
from launcher.nodes.ssh_connection import connect
from launcher.nodes.ssh_keys import HostKeys, make_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from launcher.nodes.ssh_connection import Connection

PATIENCE_S = 30.0


@dataclass
class Sshd:
    """A server.

    Attributes:
        folder: of its keys and settings.
        home: the HOME of whoever logs in.
    """

    folder: Path
    home: Path
    address: Address
    process: subprocess.Popen[bytes]

    @property
    def key(self) -> Path:
        return self.folder / "login"

    @property
    def known(self) -> HostKeys:
        return HostKeys(self.folder / "machine.known_hosts")

    def connect(
        self,
        *,
        port: int | None = None,
        timeout_s: float = PATIENCE_S,
        tell: Callable[[str], None] | None = None,
    ) -> Connection:
        address = Address(self.address.host, port or self.address.port, self.address.user)
        return connect(
            address,
            key=self.key,
            known=self.known,
            timeout_s=timeout_s,
            sleep=time.sleep,
            clock=time.monotonic,
            tell=tell,
        )

    def hang_up(self) -> None:
        """End the sessions, not the server: what a network does that is cut off."""
        for pid in _children(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.hang_up()
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.process = _start(self.folder, self.address.port)


@contextmanager
def running_sshd(folder: Path, *, home: Path | None = None, more: str = "") -> Iterator[Sshd]:
    """Run a server.

    Args:
        home: the HOME that who logs in is given.
        more: further lines of its settings.
    """
    folder.mkdir(parents=True)
    own = home or folder / "home"
    own.mkdir(parents=True, exist_ok=True)
    login, host = make_key(folder / "login"), make_key(folder / "host")
    (folder / "authorized").write_text(f"{login}\n")
    HostKeys(folder / "machine.known_hosts").pin([host])
    port = free_port()
    (folder / "config").write_text(_settings(folder, own, port) + more)
    server = Sshd(folder, own, Address("127.0.0.1", port, getpass.getuser()), _start(folder, port))
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _settings(folder: Path, home: Path, port: int) -> str:
    return f"""
ListenAddress 127.0.0.1
Port {port}
HostKey "{folder}/host"
AuthorizedKeysFile "{folder}/authorized"
SetEnv "HOME={home}"
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
"""


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    log = folder / "log"
    with log.open("ab") as streams:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "config")], stdout=streams, stderr=streams
        )
    until = time.monotonic() + PATIENCE_S
    while not _answers(port):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)
    return process


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]
