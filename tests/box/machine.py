"""One machine of the box, as tests see it: address, power, network, disk."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING, Any

from tests.box.slots import clear_away, name_of, take_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KEEPER = Path(__file__).with_name("keeper.py")
_NOTICE = "/latest/meta-data/spot/instance-action"
_NOWHERE = "02:00:00:00:00:01"
_PATIENCE_S = 60.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class BoxMachine:
    """A running, or once running, machine.

    Args:
        machine_id: an instance id; a new one makes cloud-init run again.
        disk: the image of its root disk; written to, and kept.
        user_data: what cloud-init gets; None leaves on the disk what is there.
        binds: folders that it sees read-only, `SOURCE` or `SOURCE:TARGET`.
        folder: where the console goes.
        on_off: called once when its power is off, for whatever reason.
    """

    def __init__(
        self,
        machine_id: str,
        *,
        disk: Path,
        user_data: bytes | None,
        binds: Sequence[str],
        folder: Path,
        on_off: Callable[[BoxMachine], None] | None = None,
    ) -> None:
        self.id, self.disk = machine_id, disk
        self.console = folder / f"{machine_id}.console"
        self._on_off = on_off
        self._off, self._answers = Event(), Queue[dict[str, Any]]()
        self._pid = 0
        self.slot, descriptor = take_slot()
        self.name = name_of(self.slot)
        self.address, self._gateway = f"10.77.{self.slot}.2", f"10.77.{self.slot}.1"
        mount = folder / f"{machine_id}.mount"
        mount.mkdir(exist_ok=True)
        seed = None if user_data is None else {"user_data": user_data.hex(), "instance_id": machine_id}
        config = {
            "name": self.name,
            "disk": str(disk),
            "mount": str(mount),
            "console": str(self.console),
            "seed": seed,
            "binds": list(binds),
            "address": self.address,
            "gateway": self._gateway,
            "metadata": {"/latest/meta-data/instance-id": machine_id},
        }
        self._keeper = _start_keeper(config, descriptor)
        try:
            self._plug_in()
            Thread(target=self._listen, daemon=True).start()
            self._wait(lambda: bool(self._pid), "power on")
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """Whether it has power."""
        return not self._off.is_set()

    def wait_off(self, timeout_s: float) -> bool:
        """Wait until it has no power. Returns: whether that happened in time."""
        return self._off.wait(timeout_s)

    def power_cut(self) -> None:
        """Pull the plug. What was not synced is lost."""
        try:
            self._command("kill")
        except (BrokenPipeError, RuntimeError):  # it is on its way out by itself, and hears nothing more
            if not self._off.wait(_PATIENCE_S):
                raise
        self._off.wait(_PATIENCE_S)

    def cut_network(self, seconds: float | None = None) -> None:
        """Lose every packet in both directions, for so long or until `join_network`."""
        self._command("network", "off")
        _ip("neighbour", "replace", self.address, "dev", self.name, "lladdr", _NOWHERE, "nud", "permanent")
        if seconds is not None:
            timer = Timer(seconds, self.join_network)
            timer.daemon = True
            timer.start()

    def join_network(self) -> None:
        """Put the cable in again; without effect where the machine is gone."""
        if self.is_running:
            self._command("network", "on")
            _ip("neighbour", "delete", self.address, "dev", self.name)

    def notice_spot(self, *, at: str = "2026-01-01T00:02:00Z") -> None:
        """Let the metadata service say that the machine will be taken away."""
        self._command("metadata", _NOTICE, json.dumps({"action": "terminate", "time": at}))

    def attach(self, disk: Path, *, device: str, volume: str) -> None:
        """Give the running machine another disk, as `/dev/<device>`."""
        self._command("attach", str(disk), device, volume)

    def detach(self, *, device: str, volume: str) -> None:
        """Take that disk away again."""
        self._command("detach", device, volume)

    def inside(
        self, *argv: str, user: str = "root", stdin: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the machine without its network, as on a console."""
        enter = ["nsenter", "--target", str(self._first_process()), "--all", "--"]
        switch = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        done = subprocess.run(
            [*enter, *switch, *argv],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=timeout_s,
            env={"PATH": _PATH},
        )
        texts = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        return subprocess.CompletedProcess(done.args, done.returncode, *texts)

    def reboot(self) -> None:
        """Restart the system from inside, as `RebootInstances` does."""
        self.inside("systemctl", "reboot")

    def close(self) -> None:
        """Take it away for good, and tell nobody; its disk stays."""
        self._on_off = None
        self._hang_up()
        self._off.wait(_PATIENCE_S)

    def _hang_up(self) -> None:
        assert self._keeper.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._keeper.stdin.close()

    def _first_process(self) -> int:
        def child() -> str:
            path = Path(f"/proc/{self._pid}/task/{self._pid}/children")
            return path.read_text().strip() if path.exists() else ""

        self._wait(lambda: bool(child()), "first process")
        return int(child().split()[0])

    def _plug_in(self) -> None:
        assert self._keeper.stdout is not None
        self._keeper.stdout.readline()  # from here on it has a network of its own
        peer = ("peer", "name", "eth0", "netns", str(self._keeper.pid))
        _ip("link", "add", self.name, "type", "veth", *peer)
        _ip("address", "add", f"{self._gateway}/30", "dev", self.name)
        _ip("link", "set", self.name, "up")
        self._send("plugged")

    def _command(self, *words: str) -> None:
        self._send("\t".join(words))
        try:
            answer = self._answers.get(timeout=_PATIENCE_S)
        except Empty:
            raise RuntimeError(f"{self.id} does not answer {words[0]}") from None
        if answer["event"] == "failed":
            raise RuntimeError(f"{self.id}: {words[0]}: {answer['error']}")

    def _send(self, line: str) -> None:
        assert self._keeper.stdin is not None
        try:
            self._keeper.stdin.write(line + "\n")
            self._keeper.stdin.flush()
        except ValueError as closed:
            raise BrokenPipeError from closed

    def _listen(self) -> None:
        assert self._keeper.stdout is not None
        for line in self._keeper.stdout:
            event = json.loads(line)
            match event["event"]:
                case "on":
                    self._pid = event["pid"]
                case "done" | "failed":
                    self._answers.put(event)
        self._keeper.wait()
        self._keeper.stdout.close()
        self._hang_up()
        clear_away(self.name)
        self._off.set()
        if self._on_off is not None:
            self._on_off(self)

    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > until or self._off.is_set():
                raise RuntimeError(
                    f"{self.id}: no {what}:\n{self.console.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.02)


def _start_keeper(config: dict[str, Any], descriptor: int) -> subprocess.Popen[str]:
    argv = ["unshare", "--mount", "--net", sys.executable, "-I", "-S", str(_KEEPER), json.dumps(config)]
    keeper = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[descriptor],
        start_new_session=True,
    )
    os.close(descriptor)
    return keeper


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, check=True, timeout=60)
