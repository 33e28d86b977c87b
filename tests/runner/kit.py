"""Batches frozen by hand, and real runners at work on them, each a process of its own from the sources."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOSTILE = "a'; echo b"
PATIENCE_S = 60.0
FROM_SOURCES = (sys.executable, "-W", "error", "-m", "launcher.runner")
MEASURING = {"COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"}


@dataclass
class Job:
    """A job to freeze: `run` is a shell text or an argv; `runs` says how many runs it has."""

    run: str | Sequence[str] = "true"
    name: str = "job"
    runs: int = 1
    code: Mapping[str, str | bytes] = field(default_factory=lambda: {"data.txt": "data\n"})
    needs: float = 0
    after: Sequence[str] = ()
    retries: int = 0
    run_s: float | None = None
    stall_s: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = 7
    folds: int | None = None
    environment: Mapping[str, str] | None = None
    warm: Mapping[str, Any] | None = None
    checkpoint_s: float | None = None
    backend: str | None = None

    @property
    def argv(self) -> list[str]:
        return ["/bin/sh", "-c", self.run] if isinstance(self.run, str) else list(self.run)

    def to_plan(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": f"jobs/{self.name}.yaml",
            "run": self.run,
            "needs": {"gpus": self.needs},
            "limits": {"run_s": self.run_s, "stall_s": self.stall_s, "retries": self.retries},
            # What runs in a job is no part of launcher: it need not be measured.
            "env": {**dict.fromkeys(MEASURING, ""), **self.env},
            "environment": self.environment,
            "warm": self.warm,
            "after": list(self.after),
            "metric": None,
            "mode": None,
            "stop_on_nan": False,
            "checkpoint_s": self.checkpoint_s,
            "backend": self.backend,
            "seed": self.seed,
            "repeats": 1,
            "folds": self.folds,
            "code": {"sha256": "0" * 64, "files": len(self.code), "bytes": 0, "left_out": []},
            "variants": [{"variant": number, **self.params} for number in range(self.runs)],
        }

    def to_runs(self, job: int) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{self.name}-{number:04d}-{number:08x}",
                "job": job,
                "variant": number,
                "repeat": 0,
                "seed": self.seed,
                "fold": 0 if self.folds else None,
                "argv": self.argv,
                "content": f"{job}-{number}",
            }
            for number in range(self.runs)
        ]


class Frozen:
    """A batch on disk, as `submit` leaves it, and whoever works on it."""

    def __init__(self, folder: Path, jobs: Sequence[Job], **plan: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.plan: dict[str, Any] = {
            "schema": 1,
            "launcher": "0.1.0",
            "id": folder.name,
            "on": "local",
            "slots": 1,
            "cpu": False,
            "limits": {"batch_s": None, "usd": None},
            "jobs": [job.to_plan() for job in jobs],
            "runs": [run for index, job in enumerate(jobs) for run in job.to_runs(index)],
            "skipped": [],
            "notes": [],
            **plan,
        }
        self.write_plan()
        for job in jobs:
            _freeze_code(folder / "code", job)
        self._started: list[subprocess.Popen[bytes]] = []

    def write_plan(self) -> None:
        (self.folder / "plan.json").write_text(json.dumps(self.plan))

    # Look

    @property
    def ids(self) -> list[str]:
        return [run["id"] for run in self.plan["runs"]]

    def run_folder(self, run: int) -> Path:
        return self.folder / "runs" / self.ids[run]

    def state(self, run: int = 0) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.run_folder(run) / "state.json").read_bytes())
        except FileNotFoundError:
            return {"state": "queued", "attempt": 0}
        assert list(found) == ["state", "exit_code", "signal", "attempt", "started_at", "ended_at", "reason"]
        return found

    def states(self) -> list[str]:
        return [self.state(run)["state"] for run in range(len(self.ids))]

    def reason(self, run: int = 0) -> str:
        return str(self.state(run)["reason"])

    def log(self, run: int = 0) -> bytes:
        return (self.run_folder(run) / "log.txt").read_bytes()

    def outputs(self, run: int = 0) -> dict[str, bytes]:
        folder = self.run_folder(run) / "outputs"
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        lines = (self.folder / "events.jsonl").read_bytes().splitlines()
        events: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
        return [event for event in events if kind in (None, event["event"])]

    def started(self) -> list[str]:
        return [event["run"] for event in self.events("started")]

    def manifest(self) -> dict[str, tuple[int, str]]:
        rows = json.loads((self.folder / "manifest.json").read_bytes())["files"]
        return {row["path"]: (row["size"], row["sha256"]) for row in rows}

    def processes(self) -> set[int]:
        return processes_of(self.folder)

    # Act

    def start(
        self,
        *,
        command: Sequence[str] = FROM_SOURCES,
        grace_s: float = 1.0,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
        measured: bool = True,
        flags: Sequence[str] = (),
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a runner; its own words go to runner.log."""
        argv = [*command, "run", str(self.folder), "--python", python, "--grace", str(grace_s), *flags]
        with (self.folder / "runner.log").open("ab") as log:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            runner = subprocess.Popen(argv, env=environment(env, measured=measured), **streams, **options)
        self._started.append(runner)
        return runner

    def run(self, **options: Any) -> None:
        """Run the batch to its end; a runner that has something to say has failed."""
        runner = self.start(**options)

        assert runner.wait(PATIENCE_S) == 0, self.complaints()
        assert self.complaints() == ""

    def complaints(self) -> str:
        return (self.folder / "runner.log").read_text(errors="replace")

    def request(self, action: str, *arguments: str) -> None:
        """Leave a request, as `stop` and `resume` do."""
        argv = [*FROM_SOURCES, action, str(self.folder), *arguments]
        subprocess.run(argv, check=True, env=environment(), timeout=PATIENCE_S)

    def wait_for(self, wanted: Callable[[], Any]) -> None:
        """Wait until something is true."""
        wait_for(wanted, told=lambda: f"{self.states()} {self.complaints()}")

    def wait_for_file(self, name: str, run: int = 0) -> Path:
        path = self.run_folder(run) / name
        self.wait_for(path.exists)
        return path

    def clear_away(self) -> set[int]:
        """End what is left. Returns: the processes that outlived their runner."""
        for runner in self._started:
            runner.kill()
            runner.wait()
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left


class Home:
    """A `.launcher` in a hostile place, with as many batches as a test wants."""

    def __init__(self, place: Path) -> None:
        self.path = place / HOSTILE / ".launcher"
        self.path.mkdir(parents=True)
        self.batches: list[Frozen] = []

    def freeze(self, *jobs: Job, **plan: Any) -> Frozen:
        name = f"2026112{len(self.batches)}-0213-brisk-otter"
        batch = Frozen(self.path / "batches" / name, jobs or (Job(),), **plan)
        self.batches.append(batch)
        return batch

    def clear_away(self) -> set[int]:
        return {pid for batch in self.batches for pid in batch.clear_away()}


def environment(more: Mapping[str, str] | None = None, *, measured: bool = True) -> dict[str, str]:
    """Return what a runner starts with."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LAUNCHER_")}
    if not measured:
        kept = {key: value for key, value in kept.items() if key not in MEASURING}
    return {**kept, **(more or {})}


def processes_of(folder: Path) -> set[int]:
    """Return the processes whose outputs lie below a folder, by what /proc tells of their environment."""
    marker = b"LAUNCHER_OUTPUT=" + os.fsencode(os.path.realpath(folder)) + b"/"
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(entry.startswith(marker) for entry in (process / "environ").read_bytes().split(b"\0")):
                found.add(int(process.name))
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return fields[0] not in b"ZX"


def wait_for(wanted: Callable[[], Any], *, told: Callable[[], str] = str) -> None:
    """Wait until something is true, looking often."""
    until = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < until, told()
        time.sleep(0.005)


def hash_of(content: bytes) -> tuple[int, str]:
    return len(content), hashlib.sha256(content).hexdigest()


def write_program(path: Path, text: str) -> Path:
    """Write a script that may be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def _freeze_code(code: Path, job: Job) -> None:
    folder = code / job.name
    folder.mkdir(parents=True)
    for name, content in job.code.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    entries = [_entry(path, folder) for path in sorted(folder.rglob("*"))]
    (code / f"{job.name}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    for path in (folder, *folder.rglob("*")):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


def _entry(path: Path, folder: Path) -> dict[str, Any]:
    kind = "dir" if path.is_dir() else "file"
    status = path.stat()
    return {
        "path": path.relative_to(folder).as_posix(),
        "kind": kind,
        "mode": stat.S_IMODE(status.st_mode),
        "size": status.st_size if kind == "file" else 0,
        "sha256": hash_of(path.read_bytes())[1] if kind == "file" else None,
        "target": None,
    }
