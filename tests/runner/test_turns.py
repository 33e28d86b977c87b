"""One runner a batch, one batch at a time in a home, and no run twice at once."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

from launcher.runner import names
from launcher.runner.lock import Lock, is_held
from launcher.runner.processes import count_ticks
from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Home

# The kernel frees a lock with its process, so a run that finds its own lock held runs twice.
ALONE = 'exec 9>"$PLACE/$LAUNCHER_RUN"; flock -n 9 || echo "$LAUNCHER_RUN" >> "$PLACE/twice"; sleep 0.05'


def test_of_two_runners_that_start_at_once_one_works(home: Home, tmp_path: Path) -> None:
    until = 'while test ! -e "$PLACE/go"; do sleep 0.02; done'
    batch = home.freeze(Job(f"{ALONE}; {until}", runs=4, env={"PLACE": str(tmp_path)}))

    runners = [batch.start() for _ in range(3)]

    batch.wait_for(lambda: [runner.poll() for runner in runners].count(0) == 2)
    (tmp_path / "go").touch()
    assert [runner.wait(60) for runner in runners] == [0, 0, 0]
    assert batch.states() == ["succeeded"] * 4
    assert len(batch.events("batch_started")) == 1
    assert batch.started() == batch.ids
    assert not (tmp_path / "twice").exists()


def test_batches_of_a_home_wait_for_each_other_in_order(home: Home, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = 'while test ! -e "$ORDER.go"; do sleep 0.02; done; echo "$LAUNCHER_OUTPUT" >> "$ORDER"'
    jobs = [Job(script, runs=2, env={"ORDER": str(order)}) for _ in range(3)]
    batches = [home.freeze(job) for job in jobs]
    (home.path / "batches" / ".DS_Store").touch()

    runners = [batches[0].start()]
    batches[0].wait_for(lambda: batches[0].state()["state"] == "running")
    runners += [batches[2].start()]
    batches[2].wait_for((batches[2].folder / "runner.json").exists)
    runners += [batches[1].start()]
    batches[1].wait_for((batches[1].folder / "runner.json").exists)
    (tmp_path / "order.go").touch()

    assert [runner.wait(60) for runner in runners] == [0, 0, 0]
    order_of = [line.split("/batches/")[1].split("/")[0] for line in order.read_text().splitlines()]
    assert order_of == sorted(order_of)
    assert [batch.states() for batch in batches] == [["succeeded"] * 2] * 3


def test_a_runner_that_waits_its_turn_may_be_told_to_leave(home: Home) -> None:
    first, second = home.freeze(Job("sleep 600")), home.freeze(Job("true"))
    at_work = first.start()
    first.wait_for(lambda: first.state()["state"] == "running")
    behind = second.start()
    second.wait_for((second.folder / "runner.json").exists)
    time.sleep(0.3)

    behind.terminate()

    assert behind.wait(60) == 0
    assert second.states() == ["queued"]
    at_work.terminate()
    at_work.wait(60)


def test_a_batch_waits_for_whoever_has_the_home_whatever_its_name(home: Home) -> None:
    batch = home.freeze()
    with Lock(str(home.path / names.NODE_LOCK)) as held:
        assert held.try_to_take()
        runner = batch.start()
        batch.wait_for((batch.folder / "runner.json").exists)
        time.sleep(0.5)
        assert batch.states() == ["queued"]

    assert runner.wait(60) == 0
    assert batch.states() == ["succeeded"]


def test_processor_time_is_counted_and_that_of_the_dead_is_none() -> None:
    busy = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"])
    try:
        until = time.monotonic() + 60
        while not count_ticks([busy.pid]) and time.monotonic() < until:
            time.sleep(0.05)
        assert count_ticks([busy.pid]) > 0
    finally:
        busy.kill()
        busy.wait()
    assert count_ticks([busy.pid]) == 0


def test_a_runner_says_that_it_lives(home: Home) -> None:
    batch = home.freeze()

    batch.run()

    beat = json.loads((batch.folder / "runner.json").read_text())
    assert set(beat) == {"pid", "boot_id", "version", "heartbeat_at"}
    assert beat["pid"] == batch.events("batch_started")[0]["pid"]
    assert beat["boot_id"] == batch.events("batch_started")[0]["boot_id"]


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with Lock(path) as first, Lock(path) as second:
        assert first.try_to_take()
        assert is_held(path)

        assert not second.try_to_take()

        first.release()
        assert second.try_to_take()
    assert not is_held(path)


def test_a_lock_that_nobody_made_is_not_held(tmp_path: Path) -> None:
    assert not is_held(str(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []
