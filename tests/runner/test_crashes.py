"""A runner killed at any instant and started again: nothing finished is lost, nothing is repeated or left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runner.kit import Home, Job, is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.runner.kit import Frozen

# Whoever finds the lock of its own run held runs twice: the kernel frees it with the process.
SCRIPT = """
exec 9>"$PLACE/$LAUNCHER_RUN"; flock -n 9 || echo "$LAUNCHER_RUN" >> "$PLACE/twice"
echo begin; (sleep 0.02; echo child) & echo more >> data.txt; echo $$ > "$LAUNCHER_OUTPUT/pid"; wait
test -e ../outputs/data.txt || test "$FAILS" != yes
"""
START = "from launcher.runner.__main__ import main; sys.exit(main(sys.argv[1:]))"
BARE = (sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(Path.cwd())!r}); {START}")


@contextmanager
def a_batch() -> Iterator[Frozen]:
    """Three jobs, five runs, two at a time; one run fails once, one waits for another."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        env = {"PLACE": place}
        yield home.freeze(
            Job(SCRIPT, name="a", runs=3, env=env),
            Job(SCRIPT, name="b", retries=1, env={**env, "FAILS": "yes"}),
            Job(SCRIPT, name="c", after=["a"], env=env),
            slots=2,
        )
        assert home.clear_away() == set()
        assert not Path(place, "twice").exists()


def finished(batch: Frozen) -> dict[Path, bytes]:
    """Every file of every finished run, byte for byte."""
    return {
        path: path.read_bytes()
        for run, state in enumerate(batch.states())
        if state in ("succeeded", "failed", "cancelled")
        for path in batch.run_folder(run).rglob("*")
        if path.is_file()
    }


def settle(batch: Frozen) -> dict[Path, bytes]:
    """Look at what is finished once all files can be read; a killed runner changes nothing any more."""
    assert all(isinstance(batch.state(run)["attempt"], int) for run in range(len(batch.ids)))
    return finished(batch)


def assert_all_is_well(batch: Frozen, before: dict[Path, bytes]) -> None:
    assert batch.states() == ["succeeded"] * 5
    assert {path: path.read_bytes() for path in before} == before
    assert not list(batch.folder.glob("runs/*/work"))
    assert not list(batch.folder.rglob("*.new"))
    assert_counted_once(batch)
    manifest = batch.manifest()
    assert {path.split("/")[1] for path in manifest} == set(batch.ids)


def assert_counted_once(batch: Frozen) -> None:
    for run in batch.ids:
        successes = [e for e in batch.events("ended") if e["run"] == run and e["state"] == "succeeded"]
        # A crash may lose the line; the state never.
        assert len(successes) <= 1


def kill_after(batch: Frozen, delay_s: float) -> None:
    runner = batch.start(command=BARE, measured=False)
    time.sleep(delay_s)
    runner.kill()
    runner.wait()


@settings(max_examples=20)
@given(delays=st.lists(st.floats(0.03, 0.5), min_size=1, max_size=2))
def test_killed_at_any_instant_and_started_again_it_goes_on(delays: Sequence[float]) -> None:
    with a_batch() as batch:
        before: dict[Path, bytes] = {}
        for delay_s in delays:
            kill_after(batch, delay_s)
            now = settle(batch)
            assert {path: now.get(path) for path in before} == before
            before = now

        batch.run(command=BARE, measured=False)

        assert_all_is_well(batch, before)


def run_under_strace(batch: Frozen, *inject: str) -> int:
    argv = ["strace", "-qq", "-o", os.devnull, *inject, *BARE]
    return batch.start(command=argv, measured=False).wait(60)


STEPS = {
    "rename": range(1, 25, 4),
    "fsync": range(1, 40, 6),
    "write": range(2, 50, 8),
    "mkdir": range(1, 26, 5),
    "vfork,clone,clone3": range(1, 7, 2),
    "openat": range(150, 500, 90),
    "unlink": range(1, 16, 5),
}


@pytest.mark.root
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace is of Linux")
@pytest.mark.parametrize("call", STEPS)
def test_killed_at_any_step_of_a_runs_life_it_goes_on(call: str) -> None:
    killed = 0
    for number in STEPS[call]:
        with a_batch() as batch:
            how = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
            killed += run_under_strace(batch, *how) != 0
            before = settle(batch)

            batch.run(command=BARE, measured=False)

            assert_all_is_well(batch, before)
    assert killed >= len(STEPS[call]) // 2, "a step that no run reaches proves nothing"


def test_what_a_dead_runner_left_is_ended_before_its_run_is_repeated(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go && exit 0; (trap '' TERM; sleep 600) & echo up; sleep 600"))
    kill_when_up(batch)
    left = batch.processes()
    (batch.run_folder(0) / "go").touch()

    batch.run()

    assert len(left) >= 2
    assert not any(is_alive(pid) for pid in left)
    assert batch.state()["attempt"] == 2
    assert [(e["state"], e["reason"]) for e in batch.events("ended")] == [
        ("interrupted", "the runner died"),
        ("succeeded", None),
    ]


def test_a_process_that_lost_its_mark_is_found_by_the_leader_of_its_session(home: Home) -> None:
    run = "test -e ../go && exit 0; env -i /bin/sleep 600 & echo $! > ../pid; echo up; wait"
    batch = home.freeze(Job(run))
    kill_when_up(batch)
    (batch.run_folder(0) / "go").touch()

    batch.run()

    assert not is_alive(int((batch.run_folder(0) / "pid").read_text()))


def test_a_reboot_is_told_from_a_crash(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go && exit 0; echo up; sleep 600"))
    kill_when_up(batch)
    for pid in batch.processes():
        os.kill(pid, signal.SIGKILL)
    (batch.run_folder(0) / "go").touch()
    beat = json.loads((batch.folder / "runner.json").read_text())
    (batch.folder / "runner.json").write_text(json.dumps({**beat, "boot_id": "another"}))

    batch.run()

    assert batch.events("ended")[0]["reason"] == "the computer was started anew"
    assert batch.states() == ["succeeded"]


def test_after_a_reboot_nobody_is_killed_for_having_an_old_number(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go && exit 0; echo up; sleep 600"))
    kill_when_up(batch)
    for pid in batch.processes():
        os.kill(pid, signal.SIGKILL)
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    write_started(batch, pid=bystander.pid, pid_started="1")
    (batch.run_folder(0) / "go").touch()

    batch.run()

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_runner_that_died_before_its_first_sign_is_no_trouble(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go && exit 0; echo up; sleep 600"))
    kill_when_up(batch)
    (batch.run_folder(0) / "go").touch()
    (batch.folder / "runner.json").unlink()
    (batch.folder / "events.jsonl").unlink()
    for pid in batch.processes():
        os.kill(pid, signal.SIGKILL)

    batch.run()

    assert batch.states() == ["succeeded"]


def test_a_copy_kept_by_a_dead_runner_is_not_in_the_way(home: Home) -> None:
    waits = Job("test -e ../go || { echo up; sleep 600; }", name="b")
    batch = home.freeze(Job("sleep 0.1", name="a", runs=3), waits)
    kill_when_up(batch, 3)
    (batch.folder / ".spares" / "1").mkdir(parents=True, exist_ok=True)
    (batch.folder / ".spares" / "1" / "left").touch()
    (batch.run_folder(3) / "go").touch()
    batch.request("resume")
    for run in range(2):
        shutil.rmtree(batch.run_folder(run))

    batch.run()

    assert batch.states() == ["succeeded"] * 4
    assert not (batch.folder / ".spares").exists()


def test_a_folder_prepared_by_a_dead_runner_goes_with_the_cancel(home: Home) -> None:
    batch = home.freeze(Job("echo up; sleep 600", runs=2))
    kill_when_up(batch)
    batch.wait_for_file("work", 1)
    batch.request("cancel")

    batch.run()

    assert batch.states() == ["cancelled"] * 2
    assert not list(batch.folder.glob("runs/*/work"))


def kill_when_up(batch: Frozen, run: int = 0) -> None:
    runner = batch.start()
    batch.wait_for_file("log.txt", run)
    batch.wait_for(lambda: b"up" in batch.log(run))
    batch.wait_for(lambda: batch.ids[run] in batch.started())
    runner.kill()
    runner.wait()


def write_started(batch: Frozen, *, pid: int, pid_started: str) -> None:
    line = json.dumps({"event": "started", "run": batch.ids[0], "pid": pid, "pid_started": pid_started})
    with (batch.folder / "events.jsonl").open("a") as journal:
        journal.write(line + "\n")
