"""Cancel and resume: asked by a file, carried out by whichever runner comes by."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from launcher.runner import names
from launcher.runner.requests import pending_requests
from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

UP = "echo up; sleep 600"


def wait_until_up(batch: Frozen, run: int = 0) -> None:
    batch.wait_for_file("log.txt", run)
    batch.wait_for(lambda: b"up" in batch.log(run))


def test_a_batch_that_is_cancelled_leaves_no_process_and_starts_nothing_more(home: Home) -> None:
    batch = home.freeze(Job("sleep 600 & echo up; sleep 600", runs=4), slots=2)
    runner = batch.start()
    wait_until_up(batch, 0)
    wait_until_up(batch, 1)

    batch.request("cancel")

    assert runner.wait(60) == 0
    assert batch.states() == ["cancelled"] * 4
    assert {batch.reason(run) for run in range(4)} == {"stopped by request"}
    assert batch.processes() == set()
    assert not list((batch.folder / "requests").iterdir())


def test_one_run_is_cancelled_and_the_others_go_on(home: Home) -> None:
    batch = home.freeze(Job(UP, name="a"), Job(name="b"), Job(name="c"))
    runner = batch.start()
    wait_until_up(batch)

    batch.request("cancel", batch.ids[0], batch.ids[2])

    assert runner.wait(60) == 0
    assert batch.states() == ["cancelled", "succeeded", "cancelled"]


def test_what_is_cancelled_before_a_runner_comes_never_starts(home: Home) -> None:
    batch = home.freeze(Job(UP, runs=2))
    batch.request("cancel")

    batch.run()

    assert batch.states() == ["cancelled"] * 2
    assert batch.started() == []


def test_a_runner_that_comes_for_requests_only_starts_nothing(home: Home) -> None:
    batch = home.freeze(Job(UP, runs=3))
    batch.request("cancel", batch.ids[1])

    batch.run(flags=["--only-requests"])

    assert batch.states() == ["queued", "cancelled", "queued"]
    assert batch.started() == []


def test_a_run_that_does_not_exist_is_no_reason_to_cancel_anything(home: Home) -> None:
    batch = home.freeze(Job(runs=2))
    batch.request("cancel", "job-0009-nowhere")

    batch.run()

    assert batch.states() == ["succeeded"] * 2


def test_a_run_that_ignores_the_cancel_is_killed_after_the_grace(home: Home) -> None:
    batch = home.freeze(Job("trap '' TERM; echo up; while :; do sleep 0.02; done"))
    runner = batch.start(grace_s=0.3)
    wait_until_up(batch)

    batch.request("cancel")

    assert runner.wait(60) == 0
    assert (batch.state()["state"], batch.state()["signal"]) == ("cancelled", 9)


def test_a_finished_run_is_not_cancelled(home: Home) -> None:
    batch = home.freeze(Job(name="a"), Job(UP, name="b"))
    runner = batch.start()
    wait_until_up(batch, 1)
    before = batch.state(0)

    batch.request("cancel")

    assert runner.wait(60) == 0
    assert batch.states() == ["succeeded", "cancelled"]
    assert batch.state(0) == before


def test_a_cancel_beats_the_retry_of_a_run_that_ends_for_another_reason(home: Home) -> None:
    ends_slowly = "trap 'sleep 1; exit 1' TERM; echo up; while :; do sleep 0.02; done"
    batch = home.freeze(Job(ends_slowly, retries=5, run_s=0.3))
    runner = batch.start(grace_s=20)
    wait_until_up(batch)
    batch.wait_for(lambda: batch.state()["state"] == "running")

    batch.request("cancel")

    assert runner.wait(60) == 0
    assert batch.state()["state"] in ("timed_out", "cancelled")
    assert batch.state()["attempt"] == 1


def test_a_cancel_waits_for_no_one_elses_turn(home: Home) -> None:
    first, second = home.freeze(Job(UP)), home.freeze(Job(UP))
    at_work = first.start()
    wait_until_up(first)
    behind = second.start()
    second.wait_for((second.folder / "runner.json").exists)

    second.request("cancel")

    assert behind.wait(60) == 0
    assert (first.states(), second.states()) == (["running"], ["cancelled"])
    first.request("cancel")
    assert at_work.wait(60) == 0


def test_resume_runs_what_did_not_end_and_failed_runs_only_when_asked(home: Home) -> None:
    batch = home.freeze(
        Job("test -e ../go || exit 1", name="failed"),
        Job("test -e ../go || sleep 600", name="timed-out", run_s=0.3),
        Job("test -e ../go || sleep 600", name="stalled", stall_s=0.3),
        Job("true", name="cancelled"),
        Job("true", name="succeeded"),
    )
    batch.request("cancel", batch.ids[3])
    batch.run()
    assert batch.states() == ["failed", "timed_out", "stalled", "cancelled", "succeeded"]
    for run in range(3):
        (batch.run_folder(run) / "go").touch()
    batch.request("resume")

    batch.run()

    assert batch.states() == ["failed"] + ["succeeded"] * 4
    batch.request("resume", "--failed")
    batch.run()
    assert batch.states() == ["succeeded"] * 5
    assert [batch.state(run)["attempt"] for run in range(5)] == [2, 2, 2, 1, 1]


def test_one_run_alone_may_be_resumed(home: Home) -> None:
    batch = home.freeze(Job(runs=2))
    batch.request("cancel")
    batch.run()
    batch.request("resume", batch.ids[1])

    batch.run()

    assert batch.states() == ["cancelled", "succeeded"]


def test_a_running_batch_takes_up_what_is_resumed(home: Home) -> None:
    batch = home.freeze(Job(UP, name="a"), Job("test -e ../go || exit 1; touch ../done", name="b"), slots=2)
    runner = batch.start()
    wait_until_up(batch)
    batch.wait_for(lambda: batch.state(1)["state"] == "failed")
    (batch.run_folder(1) / "go").touch()

    batch.request("resume", "--failed")

    batch.wait_for(lambda: batch.state(1)["state"] == "succeeded")
    batch.request("cancel")
    assert runner.wait(60) == 0


def test_resume_also_takes_up_what_waited_for_a_failed_job(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go || exit 1", name="a"), Job(name="b", after=["a"], runs=2))
    batch.run()
    (batch.run_folder(0) / "go").touch()
    batch.request("resume", "--failed")

    batch.run()

    assert batch.states() == ["succeeded"] * 3
    assert [event["run"] for event in batch.events("ended")] == [
        *batch.ids,
        *batch.ids,
    ]


def test_requests_are_carried_out_in_the_order_they_came(home: Home) -> None:
    batch = home.freeze(Job(runs=2))
    batch.request("cancel")
    batch.request("resume")

    batch.run()

    assert batch.states() == ["succeeded"] * 2


def test_what_no_one_understands_is_removed_and_the_batch_goes_on(home: Home) -> None:
    batch = home.freeze()
    folder = batch.folder / "requests"
    folder.mkdir()
    for number, content in enumerate(("{torn", "[]", '{"action": "dance"}', '{"action": "resume"}')):
        (folder / f"{number}.json").write_text(content)

    batch.run()

    assert batch.states() == ["succeeded"]
    assert not list(folder.iterdir())


def test_a_request_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / names.REQUESTS
    folder.mkdir()
    (folder / "2.json.new").write_text("{to")
    (folder / "1.json").write_text(json.dumps({"action": "cancel", "runs": []}))

    assert list(pending_requests(str(tmp_path))) == [
        (str(folder / "1.json"), {"action": "cancel", "runs": []})
    ]


# A runner at whose last moment, the manifest, one request comes in.
AT_THE_LAST_MOMENT = """
import os, signal, sys
from launcher.runner import __main__ as runner
from launcher.runner.requests import write_request
carry_on = runner.write_manifest
def write_manifest(batch, states):
    carry_on(batch, states)
    if not os.path.exists(batch.path("asked")):
        open(batch.path("asked"), "w").close()
        write_request(batch.folder, "resume", failed=True)
runner.write_manifest = write_manifest
sys.exit(runner.main(sys.argv[1:]))
"""


def test_a_request_that_comes_at_the_last_moment_is_carried_out(home: Home) -> None:
    batch = home.freeze(Job("test -e ../go || { touch ../go; exit 1; }"))

    batch.run(command=[sys.executable, "-c", AT_THE_LAST_MOMENT])

    assert batch.states() == ["succeeded"]
    assert len(batch.events("batch_started")) == 2


def test_a_runner_that_was_told_to_stop_leaves_late_requests_to_the_next(home: Home) -> None:
    batch = home.freeze(Job(UP))
    runner = batch.start(command=[sys.executable, "-c", AT_THE_LAST_MOMENT])
    wait_until_up(batch)

    runner.terminate()

    assert runner.wait(60) == 0
    assert batch.states() == ["interrupted"]
    assert len(list((batch.folder / "requests").iterdir())) == 1
