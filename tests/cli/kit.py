"""A project in a hostile place, the real command line at work in it, and a terminal to type at."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LAUNCHER = str(Path(sys.executable).with_name("launcher"))
HOSTILE = "a'; echo b \U0001f9a6\n$(c)"
PATIENCE_S = 60.0
GONE_WITHIN_S = 5.0  # a runner has some lines to write after its last run
MEASURING = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
# Beyond ASCII a terminal is sent nothing but pictures, and codes only where they are looked for.
CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_ON_A_TERMINAL = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Project:
    """A folder of jobs that run where nothing is quoted for free."""

    def __init__(self, place: Path) -> None:
        self.folder = place / HOSTILE
        self.folder.mkdir()
        self.shared = place / "shared"  # where runs of a test meet each other and the test
        self.shared.mkdir()
        self.home = self.folder / ".launcher"
        self.environ = _environ(place)
        self._terminals: list[Terminal] = []
        self._started: list[subprocess.Popen[str]] = []

    # Act

    def job(
        self,
        run: str | Sequence[str] = "true",
        name: str = "job",
        *,
        files: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> str:
        """Write a job file, and its folder. Returns: the file as the command line names it."""
        for path, text in (files or {"data.txt": "data\n"}).items():
            (self.folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name / path).write_text(text)
        env = {**dict.fromkeys(MEASURING, ""), "SHARED": str(self.shared), **fields.pop("env", {})}
        needs = fields.pop("needs", {"gpus": 0})
        job = {"folder": name, "run": run, "seed": "none", "env": env, "needs": needs, **fields}
        (self.folder / f"{name}.yaml").write_text(json.dumps(job))
        return f"{name}.yaml"

    def launcher(
        self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            [LAUNCHER, *words],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=cwd or self.folder,
            env={**self.environ, **(env or {})},
            text=True,
            timeout=3 * PATIENCE_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str, **options: Any) -> str:
        """Run a command that succeeds. Returns: its stdout."""
        done = self.launcher(*words, **options)
        assert done.code == 0, done
        return done.out

    def submit(self, *words: str) -> Path:
        """Submit and leave alone. Returns: the batch folder."""
        return self.home / "batches" / self.good("submit", "--detach", *words).strip()

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, its streams in pipes."""
        started = subprocess.Popen(
            [LAUNCHER, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environ,
            text=True,
        )
        self._started.append(started)
        return started

    def terminal(
        self, *argv: str, env: Mapping[str, str] | None = None, columns: int = 120, cwd: Path | None = None
    ) -> Terminal:
        """Run a program on a terminal of its own."""
        terminal = Terminal(
            argv, cwd=cwd or self.folder, env={**self.environ, **(env or {})}, columns=columns
        )
        self._terminals.append(terminal)
        return terminal

    # Look

    def batches(self) -> list[Path]:
        return sorted((self.home / "batches").glob("*"))

    def status(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.good("status", "--json", *words))
        return found

    def states(self, *words: str) -> list[str]:
        return [run["state"] for run in self.status(*words)["runs"]]

    def wait_for_states(self, *wanted: str) -> None:
        wait_for(lambda: self.states() == list(wanted), told=lambda: str(self.status()))

    def wait_for_shared(self, name: str) -> Path:
        wait_for((self.shared / name).exists, told=lambda: name)
        return self.shared / name

    def processes(self) -> list[psutil.Process]:
        """Return the processes that belong to the project: runners, runs, and what these started."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def clear_away(self) -> list[str]:
        """End what is left. Returns: runners and runs that should not be there."""
        for terminal in self._terminals:
            terminal.close()
        for started in self._started:
            started.kill()
            started.communicate()
        until = time.monotonic() + GONE_WITHIN_S
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        words = [" ".join(process.cmdline()) for process in left]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return words

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.pid != os.getpid() and (
                process.environ().get("SHARED") == str(self.shared)
                or any(str(self.home) in word for word in process.cmdline())
            )
        except psutil.Error:
            return False


class Terminal:
    """A program on a pseudo-terminal, read and typed at as a person would."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (40, columns))
        command = [sys.executable, "-I", "-S", "-c", _ON_A_TERMINAL, *argv]
        environ = {"TERM": "xterm-256color", **env}
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=environ
        )
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """Return all that was shown so far, without the codes that move and colour."""
        return CODES.sub("", self.raw)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_until(self, *wanted: str) -> None:
        """Read until all these texts were shown."""
        until = time.monotonic() + PATIENCE_S
        while not all(each in self.text for each in wanted):
            assert time.monotonic() < until, (wanted, self.raw)
            assert self._read(0.2) or self._process.poll() is None, (wanted, self.raw)

    def type(self, keys: str) -> None:
        """Type; `\\x03` is Ctrl-C."""
        os.write(self._ours, keys.encode())

    def wait(self) -> int:
        """Read to the end. Returns: the exit code."""
        until = time.monotonic() + PATIENCE_S
        while self._process.poll() is None:
            assert time.monotonic() < until, self.raw
            self._read(0.05)
        while self._read(0.05):
            pass
        return self._process.returncode

    def close(self) -> None:
        """Close the window, as a person does who has seen enough."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._ours], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # Linux says so when the other side is gone
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


def _environ(place: Path) -> dict[str, str]:
    """Return an environment in which nobody has settings and there is no GPU."""
    programs = place / "programs"
    write_program(programs / "nvidia-smi", "#!/bin/sh\nexit 9\n")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LAUNCHER_", "AWS_"))}
    own = {
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place / "config"),
        "PATH": f"{programs}{os.pathsep}{Path(LAUNCHER).parent}{os.pathsep}{os.environ['PATH']}",
        "TZ": "UTC",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**kept, **own}


def write_program(path: Path, text: str) -> Path:
    """Write a script that may be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def wait_for(wanted: Callable[[], Any], *, told: Callable[[], str] = str) -> None:
    """Wait until something is true."""
    until = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < until, told()
        time.sleep(0.01)


def kill(process: subprocess.Popen[str] | int) -> None:
    """End a process without asking it."""
    os.kill(process if isinstance(process, int) else process.pid, signal.SIGKILL)


def runner_of(batch: Path) -> int:
    """Return the process that executes a batch."""
    wait_for((batch / "runner.json").exists)
    pid: int = json.loads((batch / "runner.json").read_bytes())["pid"]
    return pid
