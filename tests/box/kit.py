"""What tests of the box share: keys, what machines are born with, waiting, SSH."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.aws.user_data import HOME, PYTHON, Birth
from launcher.nodes.runner_zip import runner_zip
from tests.runner.kit import Frozen, Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.box.machine import BoxMachine


@dataclass(frozen=True)
class Keys:
    """The login key and the host key of machines, made once."""

    login: Path
    host: Path

    def birth(self, **changes: Any) -> Birth:
        """Return what a machine of a test is born with: ten minutes to live, a tick each second."""
        granted_s = changes.pop("granted_s", 600)
        values: dict[str, Any] = {
            "batch": "20261121-0213-brisk-otter",
            "version": "0.1.0",
            "deadline_at": int(time.time()) + granted_s,
            "granted_s": granted_s,
            "lease_s": 600,
            "login_keys": (self.login.with_suffix(".pub").read_text().strip(),),
            "host_key": self.host.read_text(),
            "host_key_public": self.host.with_suffix(".pub").read_text().strip(),
            "interval_s": 1,
            "grace_s": 10,
        }
        return Birth(**{**values, **changes})


def wait_for(machine: BoxMachine, *test: str, timeout_s: float = 60.0) -> None:
    """Wait until a shell command on the machine says yes."""
    until = time.monotonic() + timeout_s
    while (done := machine.inside("sh", "-c", " ".join(test))).returncode:
        if time.monotonic() > until or not machine.is_running:
            log = machine.inside("journalctl", "--no-pager", "-n", "40").stdout if machine.is_running else ""
            raise AssertionError(f"never: {' '.join(test)}\n{done.stderr}\n{log}")
        time.sleep(0.2)


def ssh(
    machine: BoxMachine, keys: Keys, *argv: str, user: str = "launcher"
) -> subprocess.CompletedProcess[str]:
    """Run a program over SSH, trusting no host key but the one that was made at home."""
    known = keys.login.with_name(f"{machine.id}.known")
    key = " ".join(keys.host.with_suffix(".pub").read_text().split()[:2])
    known.write_text(f"{machine.address} {key}\n")
    options = {
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "/dev/null",
        "BatchMode": "yes",
        "ConnectTimeout": "5",
        "IdentitiesOnly": "yes",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    target = f"{user}@{machine.address}"
    return subprocess.run(
        ["ssh", "-F", "none", "-i", str(keys.login), *flags, target, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@dataclass(frozen=True)
class RemoteBatch:
    """A batch on a machine, brought and started as the client does it."""

    machine: BoxMachine
    frozen: Frozen

    @property
    def path(self) -> str:
        return f"{HOME}/batches/{self.frozen.folder.name}"

    def read(self, *parts: str) -> Any:
        """Return what a JSON file of the batch says, None where there is none."""
        text = self.machine.inside("cat", "/".join((self.path, *parts))).stdout
        return json.loads(text) if text else None

    def states(self) -> list[str]:
        """Return the state of each run."""
        found = (self.read("runs", run, "state.json") for run in self.frozen.ids)
        return [state["state"] if state else "queued" for state in found]

    def wait_for_states(self, *states: str, timeout_s: float = 90.0) -> None:
        """Wait until the runs are in these states."""
        until = time.monotonic() + timeout_s
        while (seen := self.states()) != list(states):
            if time.monotonic() > until or not self.machine.is_running:
                raise AssertionError(f"{seen} {self.machine.inside('cat', f'{self.path}/runner.log').stdout}")
            time.sleep(0.2)

    def runner_pid(self) -> int:
        """Return the runner's process as the machine counts."""
        return int(self.read("runner.json")["pid"])


def bring_batch(machine: BoxMachine, folder: Path, *jobs: Job) -> RemoteBatch:
    """Bring a batch to a machine and start it."""
    home = folder / f"home of {machine.id}"
    frozen = Frozen(home / "batches" / "20261121-0213-brisk-otter", list(jobs))
    (home / "runner").mkdir()
    (home / "runner" / "runner.pyz").write_bytes(runner_zip())
    batch = f"{HOME}/batches/{frozen.folder.name}"
    program = [PYTHON, "-I", "-S", f"{HOME}/runner/runner.pyz", "run", batch, "--grace", "5"]
    (frozen.folder / "start.json").write_text(json.dumps({"argv": program}))
    unpack = machine.inside("tar", "-x", "-C", str(HOME), user="runner", stdin=_tar_of(home))
    started = machine.inside("/usr/local/lib/launcher/start", frozen.folder.name)
    assert (unpack.returncode, started.returncode) == (0, 0), unpack.stderr + started.stderr
    return RemoteBatch(machine, frozen)


def _tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()
