"""A project in a hostile place, the real command line, and one checker of what must be true after any harm.

The checker trusts nothing that launcher says: it looks at processes, at locks and at bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HOSTILE = "a'; echo b"
LAUNCHER = Path(sys.executable).with_name("launcher")
PATIENCE_S = 60.0
MEASURING = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
ENDED = frozenset({"succeeded", "failed", "timed_out", "stalled", "interrupted", "cancelled"})

# Says when it begins and ends, and when another process runs the same run at that moment.
STEP = """
batch="${LAUNCHER_OUTPUT%/runs/*}"
me="$TALLY/${batch##*/}.$LAUNCHER_RUN"
exec 9>>"$me.lock"
flock -n 9 || echo "$me" >> "$TALLY/twice"
echo begin >> "$me"
cat data.txt
echo "$LAUNCHER_RUN $*" > result.txt
sleep "${NAP:-0.02}"
while test -n "$PATIENT" -a ! -e "$TALLY/go"; do sleep 0.02; done
echo end >> "$me"
"""


class Project:
    """Job files, a home, and all that the command line does with them."""

    def __init__(self, place: Path, *, tally: Path | None = None) -> None:
        self.place = place
        self.folder = place / HOSTILE
        self.home = self.folder / ".launcher"
        self.tally = tally or place / "tally"
        for folder in (self.home, self.tally):
            folder.mkdir(parents=True)
        self._finished: dict[Path, str] = {}

    # Write

    def job(self, run: str | Sequence[str] = "sh step.sh", *, runs: int = 1, **fields: Any) -> Path:
        """Write a job of so many variants. Returns: its file."""
        name = fields.pop("name", "job")
        code: Mapping[str, str | bytes] = fields.pop("code", {})
        for path, content in {"step.sh": STEP, "data.txt": "data\n", **code}.items():
            target = self.folder / f"code-{name}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        fields = {
            "name": name,
            "folder": f"code-{name}",
            "run": run if isinstance(run, str) else list(run),
            "grid": {"x": list(range(runs))},
            "seed": "none",
            "needs": {"gpus": 0},
            **fields,
            "env": {"TALLY": str(self.tally), **fields.get("env", {})},
        }
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(fields))
        return file

    # Act

    def start(
        self, *arguments: object, wrapper: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start the command line."""
        env = environment(options.pop("env", {}))
        argv = [*wrapper, str(LAUNCHER), *map(str, arguments)]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": -1, "stderr": -1}
        return subprocess.Popen(argv, cwd=self.folder, env=env, **{**streams, **options})

    def call(
        self, *arguments: object, code: int | None = 0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end; it has to leave with that exit code (None: any)."""
        with self.start(*arguments, **options) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        done = subprocess.CompletedProcess(
            process.args, process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
        )
        assert code in (None, done.returncode), f"{done.args}\n{done.stdout}\n{done.stderr}"
        assert "a bug in launcher" not in done.stderr, done.stderr
        return done

    def submit(self, *files: Path | str, **options: Any) -> Path:
        """Submit and come back at once. Returns: the batch folder."""
        done = self.call("submit", *files, "--detach", **options)
        return self.home / "batches" / done.stdout.strip()

    def resume(self, batch: Path, *arguments: str) -> None:
        """Go on with a batch, and wait until nobody works on it."""
        self.call("resume", batch.name, "--detach", *arguments)
        self.settle(batch)

    def status(self, batch: Path) -> dict[str, Any]:
        found: dict[str, Any] = strict_json(self.call("status", batch.name, "--json").stdout)
        return found

    def settle(self, batch: Path) -> None:
        """Wait until nobody works on a batch."""
        wait_for(lambda: not is_locked(batch) and not self.runners(batch), told=lambda: self.told(batch))

    def wait_for(self, batch: Path, wanted: Callable[[], Any]) -> None:
        wait_for(wanted, told=lambda: self.told(batch))

    # Look

    def batches(self) -> list[Path]:
        return sorted((self.home / "batches").glob("*"))

    def runners(self, batch: Path | None = None) -> set[int]:
        """Return the runners of a batch, or of all."""
        place = os.fsencode(batch or self.home / "batches")
        return {
            pid
            for pid, argv in all_argv()
            if len(argv) > 5 and argv[4] == b"run" and argv[5].startswith(place)
        }

    def processes(self, batch: Path | None = None) -> dict[str, set[int]]:
        """Return the living processes of each run, by what the kernel says of their environment."""
        place = os.fsencode(os.path.realpath(batch or self.home / "batches")) + b"/"
        found: dict[str, set[int]] = {}
        for pid, output in all_outputs():
            if output.startswith(place):
                found.setdefault(Path(os.fsdecode(output)).parent.name, set()).add(pid)
        return found

    def told(self, batch: Path) -> str:
        """Say what may explain a failure."""
        log = batch / "runner.log"
        words = log.read_text(errors="replace") if log.exists() else "no runner.log"
        return f"{states_on_disk(batch)}\n{words}"

    def begun(self, batch: Path, run: str) -> int:
        """Return how often a run began."""
        path = self.tally / f"{batch.name}.{run}"
        return path.read_text().split().count("begin") if path.exists() else 0

    # Judge

    def remember(self, batch: Path) -> set[str]:
        """Note every byte of what succeeded so far. Returns: these runs."""
        done = {run for run, state in states_on_disk(batch).items() if state.get("state") == "succeeded"}
        for run in done:
            self._finished.update(hash_files(batch / "runs" / run))
        return done

    def check(self, batch: Path) -> dict[str, Any]:
        """Compare what `status` says with what is. Returns: what it says."""
        for _ in range(20):
            before = self._truth(batch)
            said = self.status(batch)
            if before == self._truth(batch):
                break
        runs, is_alive, living = before
        for run in said["runs"]:
            self._check_run(run, runs.get(run["id"]), is_alive=is_alive, living=living.get(run["id"], set()))
        assert said["state"] == judge([run["state"] for run in said["runs"]], said, is_alive=is_alive)
        self._check_finished()
        return said

    def check_end(
        self, batch: Path, *, failed: Sequence[str] = (), state: str | None = None
    ) -> dict[str, Any]:
        """Check a batch that came to its end: nothing runs or is left behind, every byte is vouched for."""
        self.settle(batch)
        said = self.check(batch)
        wanted = state or ("failed" if failed else "succeeded")
        assert said["state"] == wanted, f"{said}\n{self.told(batch)}"
        assert [run["id"] for run in said["runs"] if run["state"] == "failed"] == list(failed)
        assert self.processes(batch) == {}
        assert not (self.tally / "twice").exists(), "a run ran twice at once"
        self._check_attempts(batch, said)
        self._check_nothing_left_behind(batch)
        check_manifest(batch, said)
        return said

    def bring_to_end(self, batch: Path) -> dict[str, Any]:
        """Resume whatever was left, which has to succeed, without repeating what had."""
        done = self.remember(batch)
        begun = {run: self.begun(batch, run) for run in done}

        self.resume(batch)

        assert {run: self.begun(batch, run) for run in done} == begun, "a finished run was repeated"
        return self.check_end(batch)

    def clear_away(self) -> set[int]:
        """End what is left. Returns: what should not have been there."""
        for pid in self.runners():
            kill(pid)
        left = {pid for pids in self.processes().values() for pid in pids}
        for pid in left:
            kill(pid)
        return left

    def _truth(self, batch: Path) -> tuple[dict[str, dict[str, Any]], bool, dict[str, set[int]]]:
        return states_on_disk(batch), is_locked(batch), self.processes(batch)

    def _check_run(
        self, said: dict[str, Any], true: dict[str, Any] | None, *, is_alive: bool, living: set[int]
    ) -> None:
        if true is None:
            assert said["state"] == "queued", said
            assert not living
            return
        dead = true["state"] == "running" and not is_alive
        assert said["state"] == ("interrupted" if dead else true["state"]), (said, true)
        assert said["attempts"] == true["attempt"]
        assert said["exit_code"] == true["exit_code"]
        assert said["state"] in {"queued", "running", "succeeded"} or said["reason"], said
        assert not living or true["state"] == "running", f"{said['id']} is {true['state']} and still runs"

    def _check_finished(self) -> None:
        changed = [path for path, digest in self._finished.items() if hash_file(path) != digest]
        assert changed == [], "finished results were changed"

    def _check_attempts(self, batch: Path, said: dict[str, Any]) -> None:
        begun = {run["id"]: self.begun(batch, run["id"]) for run in said["runs"]}
        more = {run["id"]: begun[run["id"]] for run in said["runs"] if begun[run["id"]] > run["attempts"]}
        assert more == {}, "a run began more often than its attempts say"

    def _check_nothing_left_behind(self, batch: Path) -> None:
        names = [path.relative_to(batch).as_posix() for path in batch.glob("**/*.new")]
        names += [path.name for path in (batch / ".spares", batch / ".ballast") if path.exists()]
        names += [path.as_posix() for path in batch.glob("runs/*/work")]
        assert names == [], "something was left behind"


def judge(states: Sequence[str], said: Mapping[str, Any], *, is_alive: bool) -> str:
    """Return the state of a batch, told a second time and in other words."""
    count = Counter(states)
    if count["running"]:
        return "running"
    if count["queued"] + count["interrupted"]:
        untouched = count["queued"] == len(states) and not any(run["attempts"] for run in said["runs"])
        if untouched and said["state"] == "queued":
            return "queued"  # whether a runner ever looked at it makes no difference to the user
        return "running" if is_alive else "interrupted"
    if count["failed"] + count["timed_out"] + count["stalled"]:
        return "failed"
    return "cancelled" if count["cancelled"] else "succeeded"


def states_on_disk(batch: Path) -> dict[str, dict[str, Any]]:
    """Return what each state.json says, or the journal where a state.json was destroyed."""
    return {
        path.name: state for path in sorted(batch.glob("runs/*")) if (state := _state_on_disk(batch, path))
    }


def _state_on_disk(batch: Path, folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        state = json.loads((folder / "state.json").read_bytes())
        if isinstance(state, dict):
            return state
    return next((event for event in reversed(ended_events(batch)) if event["run"] == folder.name), {})


def ended_events(batch: Path) -> list[dict[str, Any]]:
    """Return what the journal says about the ends of runs, whatever else stands there."""
    found = []
    journal = batch / "events.jsonl"
    for line in journal.read_bytes().split(b"\n") if journal.exists() else ():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and event.get("event") == "ended" and "state" in event:
                found.append({**event, "attempt": event["attempt"]})
    return found


def check_manifest(batch: Path, said: Mapping[str, Any]) -> None:
    """Check that manifest.json vouches for every file of every ended run, and rightly."""
    rows = strict_json((batch / "manifest.json").read_text())["files"]
    vouched = {row["path"]: (row["size"], row["sha256"]) for row in rows}
    there = {
        path.relative_to(batch).as_posix(): (path.stat().st_size, hash_file(path))
        for run in said["runs"]
        if run["state"] in ENDED
        for path in (batch / "runs" / run["id"]).rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != "verdict.json"
    }
    assert vouched == there


def is_locked(batch: Path) -> bool:
    """Tell whether a runner works on a batch: it holds a lock as long as it lives."""
    try:
        descriptor = os.open(batch / "runner.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def hash_files(folder: Path) -> dict[Path, str]:
    return {path: hash_file(path) for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def hash_file(path: Path) -> str:
    if not path.exists():
        return "gone"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def strict_json(text: str) -> Any:
    """Parse JSON as other languages do: NaN is no number."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return what the command line starts with: nothing of this test's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LAUNCHER_", "COV_"))}
    return {**{key: value for key, value in kept.items() if key not in MEASURING}, **more}


def all_argv() -> Iterator[tuple[int, list[bytes]]]:
    """Yield every living process with its arguments."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            argv = (place / "cmdline").read_bytes().split(b"\0")
            if argv != [b""]:  # a zombie has none
                yield int(place.name), argv


def all_outputs() -> Iterator[tuple[int, bytes]]:
    """Yield every living process of any run, with the folder of its outputs."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for entry in (place / "environ").read_bytes().split(b"\0"):
                if entry.startswith(b"LAUNCHER_OUTPUT="):
                    yield int(place.name), entry.partition(b"=")[2]


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_for(
    wanted: Callable[[], Any], *, told: Callable[[], str] = str, patience_s: float = PATIENCE_S
) -> None:
    """Wait until something is true, looking often."""
    until = time.monotonic() + patience_s
    while not wanted():
        assert time.monotonic() < until, told()
        time.sleep(0.01)
