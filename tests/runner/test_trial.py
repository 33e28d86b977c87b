"""Warm runs on a GPU: only after one has given the same as afresh. The one fake is `nvidia-smi`."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from launcher.runner.disk import Journal
from launcher.runner.processes import read_environment
from launcher.runner.queue import Queue
from launcher.runner.slots import Place
from launcher.runner.trial import Trials, have_same_numbers
from tests.runner.kit import is_alive, wait_for
from tests.runner.test_slots import with_gpus
from tests.runner.test_warm import warm_job, were_warm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home

# A script with a history, which knows how it was started as no script of a user's does.
SCRIPT = """
import os, sys, time
is_warm = "_launcher_hooks.launcher_warm" in sys.modules
is_trial = "/.trials/" in os.environ["LAUNCHER_OUTPUT"]
folder = os.path.dirname(os.environ["LAUNCHER_OUTPUT"])
history = "fit,epoch,attempt,seconds,loss\\n0,0,1,{},{}\\n"
loss = 0.5
print(os.environ.get("CUDA_VISIBLE_DEVICES"), os.path.exists("train.py"), os.getcwd() == folder + "/work")
"""
WRITE = """
with open(folder + "/history.csv", "w") as file:
    file.write(history.format(time.time(), loss))
"""


def tried(batch: Frozen) -> list[tuple[str, bool]]:
    return [(event["run"], event["same"]) for event in batch.events("tried_warm")]


def refusals(batch: Frozen) -> list[str]:
    return [event["reason"] for event in batch.events("no_worker")]


def on_gpu(batch: Frozen, tmp_path: Path, *gpus: int) -> None:
    batch.run(env={"PATH": with_gpus(tmp_path, *(gpus or (0,)))})
    assert batch.states() == ["succeeded"] * len(batch.ids)
    assert not (batch.folder / ".trials").exists()


def test_after_one_run_gave_the_same_both_ways_the_others_are_warm(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT + WRITE, runs=4, needs=1), slots=None)

    on_gpu(batch, tmp_path)

    assert were_warm(batch) == [False, False, True, True]  # the second began before the first was looked at
    assert tried(batch) == [(batch.ids[0], True)]
    assert {batch.log(run) for run in range(4)} == {b"0 True True\n"}
    assert batch.started() == batch.ids  # what is tried is no attempt


def test_what_holds_for_one_gpu_of_a_machine_holds_for_the_other(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT + "time.sleep(0.1)" + WRITE, runs=12, needs=1), slots=None)

    on_gpu(batch, tmp_path, 0, 1)

    assert len(tried(batch)) == 1
    warm = {event["run"] for event in batch.events("started") if event.get("warm")}
    assert {batch.log(batch.ids.index(run))[:1] for run in warm} == {b"0", b"1"}


DIFFERENT = {
    "a number": ("loss += 1e-16 + 1e-15 * is_warm", "gave other numbers than afresh"),
    "a metric": (
        'open(folder + "/metrics.json", "w").write("{%d: 1}".replace("%d", \'"%d"\' % is_warm))',
        "gave other numbers than afresh",
    ),
    "its end": ("if is_trial: sys.exit(3)", "ended otherwise: exit code 3"),
    "no history": ("if is_trial: sys.exit(0)", "gave other numbers than afresh"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_after_a_difference_all_start_afresh(home: Home, tmp_path: Path, what: str) -> None:
    line, reason = DIFFERENT[what]
    batch = home.freeze(warm_job(f"{SCRIPT}\n{line}\n{WRITE}", runs=4, needs=1), slots=None)

    on_gpu(batch, tmp_path)

    assert were_warm(batch) == [False] * 4
    assert tried(batch) == [(batch.ids[0], False)]
    assert refusals(batch) == [f"a run that was tried warm {reason}"]


def test_without_a_history_nothing_is_known(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT, runs=4, needs=1), slots=None)

    on_gpu(batch, tmp_path)

    assert (were_warm(batch), tried(batch)) == ([False] * 4, [])


@pytest.mark.parametrize(
    ("took_s", "waiting", "is_tried"), [(9.9, 1, True), (10.1, 1, False), (10.1, 2, True)]
)
def test_a_trial_that_costs_more_than_it_saves_is_left_out(
    tmp_path: Path, *, took_s: float, waiting: int, is_tried: bool
) -> None:
    runs = 1 + waiting
    queue = Queue(job_names=["job"], after=[[]], jobs=[0] * runs, states=["succeeded", *["queued"] * waiting])
    batch: Any = SimpleNamespace(runs=[{"job": 0}] * runs)
    workers: Any = SimpleNamespace(is_untried=lambda *_: True)
    attempt: Any = SimpleNamespace(run=0, number=1, place=Place(("0",), 1.0), folder=str(tmp_path))
    (tmp_path / "history.csv").touch()
    trials = Trials(batch, queue=queue, workers=workers, journal=Journal(str(tmp_path / "events.jsonl")))

    trials.consider(attempt, took_s=took_s)

    assert (trials.next() is not None) == is_tried


def test_a_worker_that_can_not_be_had_is_no_trial(home: Home, tmp_path: Path) -> None:
    script = SCRIPT + WRITE
    batch = home.freeze(warm_job(script, runs=4, needs=1), slots=None)
    batch.plan["jobs"][0]["warm"]["own"] = ["json"]  # which the worker holds itself
    batch.write_plan()

    on_gpu(batch, tmp_path)

    assert (were_warm(batch), tried(batch)) == ([False] * 4, [])
    assert refusals(batch) == ["packages would find json in its folder"]


TRIAL_WAITS = "\nif is_trial:\n    open(folder + '/up', 'w').close()\n    time.sleep(600)\n"


def test_a_trial_ends_when_no_run_waits_for_it(home: Home, tmp_path: Path) -> None:
    script = SCRIPT + WRITE + "\nif not is_trial: time.sleep(0.2)\n" + TRIAL_WAITS
    batch = home.freeze(warm_job(script, runs=6, needs=0.5), slots=None)

    on_gpu(batch, tmp_path)

    assert were_warm(batch) == [False] * 6
    assert refusals(batch) == ["a run that was tried warm ended otherwise: no run waits for it any more"]


def start_until_it_tries(batch: Frozen, tmp_path: Path) -> tuple[int, int]:
    """Returns: the runner, and the process of the trial."""
    runner = batch.start(env={"PATH": with_gpus(tmp_path, 0)})
    up = batch.folder / ".trials" / batch.ids[0] / "up"
    batch.wait_for(up.exists)
    (trial,) = (pid for pid in batch.processes() if is_trial_of(pid, batch))
    return runner.pid, trial


def is_trial_of(pid: int, batch: Frozen) -> bool:
    marker = f"LAUNCHER_OUTPUT={batch.folder}/.trials/".encode()
    return any(entry.startswith(marker) for entry in read_environment(pid))


def test_a_cancel_leaves_no_trial(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT + WRITE + TRIAL_WAITS, runs=4, needs=1), slots=None)
    _, trial = start_until_it_tries(batch, tmp_path)

    batch.request("cancel")

    wait_for(lambda: not is_alive(trial))
    wait_for(lambda: batch.states() == [*["succeeded"] * 2, *["cancelled"] * 2], told=batch.complaints)


def test_the_next_runner_ends_the_trial_of_one_that_was_killed(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT + WRITE + TRIAL_WAITS, runs=4, needs=1), slots=None)
    runner, trial = start_until_it_tries(batch, tmp_path)
    os.kill(runner, signal.SIGKILL)
    assert is_alive(trial)

    batch.run()  # on the CPU, where there is nothing to try

    assert not is_alive(trial)
    assert not (batch.folder / ".trials").exists()
    assert batch.states() == ["succeeded"] * 4


def test_a_runner_that_is_told_to_leave_takes_its_trial_along(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(warm_job(SCRIPT + WRITE + TRIAL_WAITS, runs=4, needs=1), slots=None)
    runner, trial = start_until_it_tries(batch, tmp_path)

    os.kill(runner, signal.SIGTERM)

    wait_for(lambda: not is_alive(trial))
    wait_for(lambda: not is_alive(runner))
    assert batch.states() == [*["succeeded"] * 2, *["queued"] * 2]


def test_numbers_are_compared_digit_for_digit_and_seconds_not(tmp_path: Path) -> None:
    for name, row in {"a": "0,1.5,0.25", "b": "0,9.5,0.25", "c": "0,1.5,0.250"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.csv").write_text(f"epoch,seconds,loss\n{row}\n")
    for name, content in {"bytes": b"\xff,\xfe\n1,2\n", "long": b"a\n" + b"9" * 200_000 + b"\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.csv").write_bytes(content)
    (tmp_path / "empty").mkdir()

    folders = [str(tmp_path / name) for name in ("a", "b", "c", "empty", "bytes", "long")]

    assert [have_same_numbers(folders[0], other) for other in folders] == [True, True, *[False] * 4]
    assert not any(have_same_numbers(folder, folder) for folder in folders[3:])
