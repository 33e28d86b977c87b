"""One night on real parts: an account, real machines, a project, and the command line as its user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.targets.stack import hash_stack
from tests.box.ec2 import BoxEc2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.box.box import Box
    from tests.box.machine import BoxMachine
    from tests.fake_ec2 import FakeEc2

RUNS = 2
PATIENCE_S = 420.0  # two machines and a recovery, on a busy computer
_MAIN = "from launcher.cli import main; main()"
_SCRIPT = """import os, sys, time
print("hello", sys.argv[1], flush=True)
time.sleep(4)
with open("out.bin", "wb") as file:
    file.write(sys.argv[1].encode() * 4096)
"""
_JOB = """folder: hello
run: python train.py
grid: {{a: [1, 2]}}
needs: {{gpus: 0}}
machine: {{types: [g6.xlarge], spot: {spot}}}
limits: {{batch: 30m, retries: 0}}
"""
_SETTINGS = '[tool.launcher]\ncidr = "10.77.0.1/32"\ndeadman_s = 2\nkeep = "{keep_s}s"\n'


class Night:
    """A project, and what happens to its batch.

    Args:
        folder: where all of it lies.
        package: the folder that has the package `launcher`; by default that of this clone.
        spot: whether the job asks for spot machines.
        keep_s: how long a machine waits for home, and for the next batch.
    """

    def __init__(
        self,
        fake: FakeEc2,
        box: Box,
        folder: Path,
        *,
        spot: bool = False,
        keep_s: int = 60,
        package: Path | None = None,
    ) -> None:
        self.fake, self.box, self.folder = fake, box, folder
        self.project = _make_project(folder, spot=spot, keep_s=keep_s)
        self.ec2 = BoxEc2(fake, box, binds=[_make_environment(folder)])
        self._package = package or Path(__file__).parents[2]
        self.environ: dict[str, str] = {}  # further variables of every command
        self.client: subprocess.Popen[bytes] | None = None
        self.others: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of launcher; what it says is appended to a log."""
        with self.log.open("ab") as log:
            log.write(f"$ launcher {' '.join(words)}\n".encode())
            log.flush()
            argv = [sys.executable, "-c", _MAIN, *words]
            return subprocess.Popen(
                argv, cwd=self.project, env=self._environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self, *words: str) -> int:
        """Run a command of launcher. Returns: its exit code, -9 where it took too long."""
        process = self.start(*words)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def read(self, *words: str) -> Any:
        """Return what a command says as JSON."""
        argv = [sys.executable, "-c", _MAIN, *words, "--json"]
        done = subprocess.run(
            argv, cwd=self.project, env=self._environ(), capture_output=True, check=False, timeout=PATIENCE_S
        )
        return json.loads(done.stdout) if done.stdout else None

    @property
    def log(self) -> Path:
        """What all commands said."""
        return self.folder / "said.log"

    @property
    def said(self) -> str:
        """The text of it."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def batch(self) -> Path | None:
        """The batch folder at home, where there is one."""
        return next(iter(sorted((self.project / ".launcher" / "batches").glob("*"))), None)

    @property
    def states(self) -> list[str]:
        """The states of runs, as they are at home."""
        found = sorted(self.batch.glob("runs/*/state.json")) if self.batch else []
        return [json.loads(path.read_text())["state"] for path in found]

    @property
    def has_outputs(self) -> bool:
        """Whether all that runs wrote is at home."""
        found = list(self.batch.glob("runs/*/outputs/out.bin")) if self.batch else []
        return len(found) == RUNS

    @property
    def machine(self) -> BoxMachine:
        """The machine that runs now, or ran last."""
        return list(self.ec2.machines.values())[-1]

    @property
    def instance(self) -> str:
        """The id of the instance that was launched last."""
        return str(self.fake.instances()[-1].id)

    def close(self) -> None:
        """End what still runs here."""
        for process in (*([self.client] if self.client else []), *self.others):
            if process.poll() is None:
                process.kill()
            process.wait()

    def _environ(self) -> dict[str, str]:
        own = {
            "HOME": str(self.folder),
            "PYTHONPATH": str(self._package),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        return {**os.environ, **self.fake.environ(), **own, **self.environ}


def wait_until(is_so: Callable[[], object], *, timeout_s: float, step_s: float = 0.05) -> bool:
    """Wait for something. Returns: whether it came to be."""
    until = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(step_s)
    return True


def expected_output(value: Sequence[str] | str) -> bytes:
    """Return what a run with this argument writes."""
    return str(value).encode() * 4096


def _make_environment(folder: Path) -> str:
    """Make what stands for the stack: the machine's own Python. Returns: how it is bound in."""
    environment = folder / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to("/usr/bin/python3")
    (environment / "complete").touch()
    return f"{environment}:/opt/launcher/environments/{hash_stack()[:16]}"


def _make_project(folder: Path, *, spot: bool, keep_s: int) -> Path:
    project = folder / "project"
    (project / "hello").mkdir(parents=True)
    (project / "hello" / "train.py").write_text(_SCRIPT)
    (project / "hello.yaml").write_text(_JOB.format(spot=str(spot).lower()))
    (project / "pyproject.toml").write_text(_SETTINGS.format(keep_s=keep_s))
    return project
