"""What the deadman is told of a home, whatever lies there; and the words that both islands use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from launcher.machine import look as at
from launcher.machine.__main__ import main
from launcher.machine.look import boot_id, end_runners, look
from launcher.runner import names
from launcher.runner.requests import write_request
from tests.runner.kit import Home, Job, is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def seen(home: Home) -> Any:
    """Return what is seen of the one batch of a home."""
    (batch,) = look(str(home.path), now=NOW.timestamp())["batches"]
    return batch


def write(batch: Frozen, name: str, value: Any) -> None:
    (batch.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (batch.folder / name).write_text(json.dumps(value))


def test_the_words_are_those_of_the_runner() -> None:
    ours = (at.BATCHES, at.PLAN, at.RUNNER, at.RUNNER_LOG, at.RUNS, at.STATE, at.REQUESTS)

    assert ours == (
        names.BATCHES,
        names.PLAN,
        names.RUNNER,
        names.RUNNER_LOG,
        names.RUNS,
        names.STATE,
        names.REQUESTS,
    )
    assert names.ENDED - {names.INTERRUPTED} == at.CLOSED


@pytest.mark.parametrize(
    ("state", "is_open"),
    [
        *((state, False) for state in sorted(at.CLOSED)),
        ("queued", True),
        ("running", True),
        ("interrupted", True),
    ],
)
def test_a_batch_is_open_while_a_run_has_something_left_to_do(
    home: Home, state: str, *, is_open: bool
) -> None:
    batch = home.freeze(Job(runs=2))
    write(batch, f"runs/{batch.ids[0]}/state.json", {"state": state})
    write(batch, f"runs/{batch.ids[1]}/state.json", {"state": "succeeded"})

    assert seen(home)["is_open"] is is_open


def test_a_run_without_a_state_and_a_request_are_something_left_to_do(home: Home) -> None:
    batch = home.freeze(Job())
    without_state = seen(home)["is_open"]
    write(batch, f"runs/{batch.ids[0]}/state.json", {"state": "cancelled"})
    done = seen(home)["is_open"]
    write_request(str(batch.folder), "resume")

    assert (without_state, done, seen(home)["is_open"]) == (True, False, True)


def test_silence_counts_from_the_heartbeat_and_from_the_start_and_is_never_negative(home: Home) -> None:
    batch = home.freeze(Job())
    never = seen(home)["silent_s"]
    write(
        batch,
        "runner.json",
        {"heartbeat_at": (NOW - timedelta(seconds=40)).isoformat(), "boot_id": boot_id()},
    )
    beaten = seen(home)
    write(batch, "start.json", {"argv": ["true"]})
    os.utime(batch.folder / "start.json", (NOW.timestamp() - 7, NOW.timestamp() - 7))
    started = seen(home)
    write(batch, "runner.json", {"heartbeat_at": (NOW + timedelta(days=1)).isoformat(), "boot_id": "another"})

    assert never == NOW.timestamp()
    assert (beaten["silent_s"], beaten["is_same_boot"], beaten["can_start"]) == (40.0, True, False)
    assert (started["silent_s"], started["can_start"]) == (7.0, True)
    assert (seen(home)["silent_s"], seen(home)["is_same_boot"]) == (0.0, False)


def test_whatever_lies_there_is_looked_at_without_harm(home: Home) -> None:
    batch = home.freeze(Job())
    for name, text in {"runner.json": "[" * 100_000, "start.json": '{"argv": [1]}', "plan.json": "3"}.items():
        (batch.folder / name).write_text(text)
    os.mkfifo(home.path / "poweroff")
    (home.path / "batches" / "no batch").mkdir()

    assert look(str(home.path), now=NOW.timestamp())["asked"] is None
    assert not seen(home)["is_open"]
    assert not seen(home)["can_start"]
    assert look(str(home.path / "nowhere"), now=0.0) == {"asked": None, "interrupted": False, "batches": []}


def test_a_request_for_the_end_is_cut_to_one_reason(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (home.path / "poweroff").write_bytes(b"all done\n" + b"\xff" * 500)

    assert main(["look", str(home.path)]) == 0
    assert json.loads(capsys.readouterr().out)["asked"].startswith("all done")


def test_runners_are_told_to_end_and_waited_for_and_nobody_else_is(home: Home) -> None:
    batch, other = home.freeze(Job("sleep 60")), home.freeze(Job())
    runner = batch.start()
    batch.wait_for(lambda: batch.states() == ["running"])
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write(other, "runner.json", {"pid": stranger.pid})
    try:
        end_runners(str(home.path), grace_s=30.0, clock=time.monotonic, sleep=time.sleep)

        assert batch.states() == ["interrupted"]
        assert is_alive(stranger.pid)
        runner.wait(30)
    finally:
        stranger.kill()
        stranger.wait()
        home.clear_away()


def test_a_runner_that_does_not_end_is_not_waited_for_longer_than_its_grace(home: Home) -> None:
    batch = home.freeze(Job())
    deaf = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    argv = [sys.executable, "-c", deaf, batch.folder.name]
    waits: list[float] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        runner.stdout.readline()
        write(batch, "runner.json", {"pid": runner.pid})

        end_runners(str(home.path), grace_s=1.0, clock=lambda: sum(waits), sleep=waits.append)

        assert runner.poll() is None
        runner.kill()
    assert 1.0 <= sum(waits) < 1.2


def test_a_notice_is_kept_and_the_runners_are_told(home: Home) -> None:
    assert main(["interrupt", str(home.path), "1", '{"action": "terminate"}']) == 0
    assert (home.path / "interruption.json").read_text() == '{"action": "terminate"}'
    assert look(str(home.path), now=0.0)["interrupted"]


def test_a_runner_is_started_as_the_client_said_with_its_words_in_the_log(home: Home) -> None:
    batch = home.freeze(Job())
    write(batch, "start.json", {"argv": ["sh", "-c", "echo $0; echo bad >&2", "a'; echo b"]})
    program = [sys.executable, "-m", "launcher.machine", "become", str(batch.folder)]

    done = subprocess.run(program, capture_output=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, b"")
    assert batch.complaints() == "a'; echo b\nbad\n"


@pytest.mark.parametrize("words", [[], ["nothing"], ["lease"], ["look"]])
def test_a_wrong_word_gets_the_list_of_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "lease SECONDS" in capsys.readouterr().err


def test_what_says_nothing_of_a_start_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["become", str(tmp_path)]) == 1
    assert "does not say how its runner is started" in capsys.readouterr().err
