"""Keep one machine of the box: its disk, its network, its metadata service, its power.

Started in mount and network namespaces of its own, so that whatever happens to it, the kernel takes back
mounts, loop devices and interfaces. It reads one command a line and tells one event a line; when its input
ends, because the test run was killed, it pulls the plug.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from select import select
from threading import Thread
from typing import Any

IMDS = "169.254.169.254"
_TOKEN = "a-token-of-the-box"
_REBOOT = 133  # how systemd-nspawn says that the system inside wants to start again
_PR_SET_PDEATHSIG = 1
_FS_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSH = (2).to_bytes(4, sys.byteorder)
_NOWHERE = "02:00:00:00:00:01"
_CGROUPS = Path("/sys/fs/cgroup")


class Keeper:
    """One machine, from power on to power off."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._mount = Path(config["mount"])
        self._metadata: dict[str, str] = config["metadata"]
        self._held: list[int] = []
        self._has_power = True
        self._system: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Run the machine until it powers off or loses its power."""
        _enter_cgroup(self._config["name"])
        self._make_network()
        _call("mount", "-o", "loop", self._config["disk"], str(self._mount))
        self._seed()
        _serve(self._metadata)
        code = _REBOOT
        while code == _REBOOT and self._has_power:
            code = self._run_once()
        _call("umount", str(self._mount))
        _tell(event="off", code=code)

    def _run_once(self) -> int:
        with Path(self._config["console"]).open("ab") as console:
            system = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread of ours holds a lock here
            )
        self._system = system
        _tell(event="on", pid=system.pid)
        ended = os.pidfd_open(system.pid)
        while ended not in (ready := select([sys.stdin, ended], [], [])[0]):
            if ready:
                self._obey(sys.stdin.readline().rstrip("\n"))
        os.close(ended)
        return system.wait()

    def _obey(self, line: str) -> None:
        command, *words = line.split("\t") if line else ("kill",)
        try:
            match command:
                case "kill":
                    self._cut_power()
                case "metadata":
                    self._metadata[words[0]] = words[1]
                case "attach":
                    self._attach(*words)
                case "detach":
                    self._detach(*words)
                case "network":
                    self._switch_network(is_on=words[0] == "on")
            _tell(event="done")
        except (OSError, subprocess.SubprocessError) as error:
            _tell(event="failed", error=str(error))

    def _cut_power(self) -> None:
        """Pull the plug: what was not synced is lost, and nobody inside is told."""
        assert self._system is not None
        self._has_power = False
        folder = os.open(self._mount, os.O_RDONLY)
        fcntl.ioctl(folder, _FS_IOC_SHUTDOWN, _WITHOUT_FLUSH)
        os.close(folder)
        for pid in (*self._children(), self._system.pid):  # the first process outlives systemd-nspawn
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _attach(self, disk: str, device: str, volume: str) -> None:
        """Give the running machine a block device, named as on Nitro."""
        loop = _call("losetup", "--find", "--show", disk).strip()
        self._held.append(os.open(loop, os.O_RDONLY))
        _call("losetup", "--detach", loop)  # it goes when the last one closes it, whoever that will be
        inside = self._inside() / "dev"
        node = inside / device
        os.mknod(node, stat.S_IFBLK | 0o660, Path(loop).stat().st_rdev)
        (inside / "disk" / "by-id").mkdir(parents=True, exist_ok=True)
        link = inside / "disk" / "by-id" / f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
        link.symlink_to(f"../../{device}")

    def _detach(self, device: str, volume: str) -> None:
        inside = self._inside() / "dev"
        (inside / device).unlink()
        (inside / "disk" / "by-id" / f"nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}").unlink()
        while self._held:
            os.close(self._held.pop())

    def _inside(self) -> Path:
        """Return the machine's root as its first process sees it."""
        return Path(f"/proc/{self._children()[0]}/root")

    def _children(self) -> list[int]:
        assert self._system is not None
        pid = self._system.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _make_network(self) -> None:
        _tell(event="ready")
        sys.stdin.readline()  # the other end of the cable is put in from outside
        _ip("link", "set", "lo", "up")
        _ip("address", "add", f"{IMDS}/32", "dev", "lo")
        _ip("address", "add", f"{self._config['address']}/30", "dev", "eth0")
        _ip("link", "set", "eth0", "up")
        _ip("route", "add", "default", "via", self._config["gateway"])

    def _switch_network(self, *, is_on: bool) -> None:
        """Lose what is sent, silently, by sending it to a card that nobody has."""
        gateway = ("to", self._config["gateway"], "dev", "eth0")
        if is_on:
            _ip("neighbour", "delete", *gateway)
        else:
            _ip("neighbour", "replace", *gateway, "lladdr", _NOWHERE, "nud", "permanent")

    def _seed(self) -> None:
        seed = self._config["seed"]
        if seed is None:
            return
        folder = self._mount / "var/lib/cloud/seed/nocloud"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "user-data").write_bytes(bytes.fromhex(seed["user_data"]))
        (folder / "meta-data").write_text(f"instance-id: {seed['instance_id']}\n")

    def _command(self) -> list[str]:
        binds = [f"--bind-ro={source}" for source in self._config["binds"]]
        # Nobody registers it: there may be no systemd outside. It stays in our cgroup and our network.
        manner = [
            "--register=no",
            "--keep-unit",
            "--network-namespace-path=/proc/self/ns/net",
            "--link-journal=no",
        ]
        name = f"--machine={self._config['name']}"
        return ["systemd-nspawn", "--quiet", "--boot", f"--directory={self._mount}", name, *manner, *binds]


def _serve(metadata: dict[str, str]) -> None:
    """Answer as the instance metadata service does, version 2."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            is_token = self.path == "/latest/api/token"
            self._answer(200 if is_token else 404, _TOKEN if is_token else "")

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != _TOKEN:
                self._answer(401, "")
            else:
                value = metadata.get(self.path, "")
                self._answer(200 if value else 404, value)

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

    Thread(target=ThreadingHTTPServer((IMDS, 80), Handler).serve_forever, daemon=True).start()


def _enter_cgroup(name: str) -> None:
    """Give the machine cgroups of its own: systemd inside would share those of other machines."""
    roots = (_CGROUPS, _CGROUPS / "unified", _CGROUPS / "systemd")
    for root in roots:
        if (root / "cgroup.procs").exists():
            (root / name).mkdir(exist_ok=True)
            (root / name / "cgroup.procs").write_text(str(os.getpid()))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _ip(*words: str) -> None:
    _call("ip", *words)


def _call(*argv: str) -> str:
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=60, text=True
    ).stdout


def _tell(**event: object) -> None:
    try:
        os.write(1, (json.dumps(event) + "\n").encode())
    except BrokenPipeError:
        return  # the test run was killed


if __name__ == "__main__":
    Keeper(json.loads(sys.argv[1])).keep()
