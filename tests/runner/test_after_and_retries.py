"""What waits for what, what is tried again, and what an attempt counts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

FAILS_ONCE = "test -e ../outputs/tried && exit 0; touch tried; exit 1"


def attempts(batch: Frozen, run: int = 0) -> int:
    number: int = batch.state(run)["attempt"]
    return number


def is_begun(batch: Frozen, number: int) -> bool:
    return attempts(batch) >= number


def test_a_job_waits_until_all_of_the_other_has_succeeded(home: Home, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = 'sleep 0.05; echo "$LAUNCHER_RUN" >> "$ORDER"'
    env = {"ORDER": str(order)}
    batch = home.freeze(
        Job(script, name="z", after=["m"], env=env),
        Job(script, name="m", runs=3, env=env),
        Job(script, name="free", env=env),
        slots=4,
    )

    batch.run()

    lines = order.read_text().splitlines()
    assert lines[-1] == batch.ids[0]
    assert set(lines) == set(batch.ids)


def test_what_waits_for_a_job_that_failed_is_cancelled_and_so_is_what_waits_for_that(home: Home) -> None:
    batch = home.freeze(
        Job("exit 1", name="a"),
        Job(name="b", after=["a"], runs=2),
        Job(name="c", after=["b"]),
        Job(name="d", after=[]),
    )

    batch.run()

    assert batch.states() == ["failed", "cancelled", "cancelled", "cancelled", "succeeded"]
    assert batch.reason(1) == batch.reason(2) == "a, which it comes after, did not wholly succeed"
    assert batch.reason(3) == "b, which it comes after, did not wholly succeed"
    assert (batch.state(1)["attempt"], batch.state(1)["started_at"]) == (0, None)


def test_one_failed_run_of_many_is_not_whole_success(home: Home) -> None:
    batch = home.freeze(
        Job('case "$LAUNCHER_RUN" in *0001-*) exit 1;; esac', name="a", runs=3), Job(name="b", after=["a"])
    )

    batch.run()

    assert batch.states() == ["succeeded", "failed", "succeeded", "cancelled"]


def test_a_job_without_runs_holds_nobody_up(home: Home) -> None:
    batch = home.freeze(Job(name="skipped", runs=0), Job(name="b", after=["skipped"]))

    batch.run()

    assert batch.states() == ["succeeded"]


def test_a_job_that_is_not_in_the_batch_holds_nobody_up(home: Home) -> None:
    batch = home.freeze(Job(name="b", after=["elsewhere"]))

    batch.run()

    assert batch.states() == ["succeeded"]


def test_what_waits_goes_on_when_a_retry_succeeds(home: Home) -> None:
    batch = home.freeze(Job(FAILS_ONCE, name="a", retries=1), Job(name="b", after=["a"]))

    batch.run()

    assert batch.states() == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (Job("exit 1", retries=2), "failed"),
        (Job(["nowhere"], retries=2), "failed"),
        (Job("sleep 600", retries=2, run_s=0.1), "timed_out"),
        (Job("sleep 600", retries=2, stall_s=0.1), "stalled"),
    ],
)
def test_failed_stalled_and_timed_out_are_tried_again_as_often_as_allowed(
    home: Home, job: Job, state: str
) -> None:
    batch = home.freeze(job)

    batch.run()

    assert (batch.state()["state"], attempts(batch)) == (state, 3)
    assert [event["is_retry"] for event in batch.events("requeued")] == [True, True]


def test_a_retry_goes_behind_the_other_runs_of_its_job(home: Home) -> None:
    batch = home.freeze(Job(FAILS_ONCE, retries=1, runs=2))

    batch.run()

    first, second = batch.ids
    assert batch.started() == [first, second, first, second]


def test_the_log_goes_on_over_attempts_and_says_so(home: Home) -> None:
    batch = home.freeze(Job("echo words; exit 1", retries=2))

    batch.run()

    assert batch.log() == b"words\n[launcher: attempt 2]\nwords\n[launcher: attempt 3]\nwords\n"


def test_a_retry_starts_in_a_fresh_copy_of_the_code(home: Home) -> None:
    batch = home.freeze(Job("cat data.txt; echo changed > data.txt; exit 1", retries=1))

    batch.run()

    assert b"changed" not in batch.log()


def test_interruptions_do_not_count_as_failures(home: Home) -> None:
    batch = home.freeze(Job('test -e "../go" && exit 1; echo up; sleep 600', retries=1))
    for _ in range(3):
        runner = batch.start()
        begun = attempts(batch)
        batch.wait_for(partial(is_begun, batch, begun + 1))
        runner.terminate()
        assert runner.wait(60) == 0
    (batch.run_folder(0) / "go").touch()

    batch.run()

    # Three that were interrupted, one that failed and its one retry.
    assert (batch.state()["state"], attempts(batch)) == ("failed", 5)


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_failures_count_on_under_the_next_runner(home: Home, how: str) -> None:
    batch = home.freeze(Job("test $(wc -l < ../log.txt) -eq 2 && sleep 600; echo failing; exit 1", retries=1))
    runner = batch.start()
    batch.wait_for(lambda: attempts(batch) == 2)
    batch.wait_for(lambda: b"attempt 2" in batch.log())
    getattr(runner, how)()
    runner.wait(60)

    batch.run()

    # 1 failed; 2, its only retry, was interrupted; 3 repeats it and fails.
    assert (batch.state()["state"], attempts(batch)) == ("failed", 3)


def test_asking_again_grants_the_retries_again(home: Home) -> None:
    batch = home.freeze(Job("exit 1", retries=1))
    batch.run()
    batch.request("resume", "--failed")

    batch.run()

    assert (batch.state()["state"], attempts(batch)) == ("failed", 4)


def test_a_failure_while_the_runner_stops_keeps_its_retry(home: Home) -> None:
    batch = home.freeze(
        Job("echo up; sleep 1; exit 1", name="failing", retries=1),
        Job("trap '' TERM; echo up; while :; do sleep 0.02; done", name="slow"),
        slots=2,
    )
    failing = Job("echo up; (trap '' TERM; sleep 0.5) & exit 1", name="failing", retries=1)
    batch.plan["runs"][0]["argv"] = failing.argv
    batch.write_plan()
    runner = batch.start(grace_s=2)
    for run in (0, 1):
        batch.wait_for_file("log.txt", run)
    batch.wait_for(lambda: batch.log(0) and batch.log(1))

    runner.terminate()

    assert runner.wait(60) == 0
    assert batch.states() == ["queued", "interrupted"]
    assert batch.reason(0) == "attempt 1: exit code 1"
