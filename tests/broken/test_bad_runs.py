"""Runs that do what no run should: each is told truly, and harms no other."""

from __future__ import annotations

import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.broken.kit import all_argv, strict_json, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.broken.kit import Project

LIMIT_BYTES = 64 * 2**20
GOOD = "sh step.sh"


def shell(text: str) -> list[str]:
    """Return an argv that runs a shell text and does nothing with the parameters."""
    return ["sh", "-c", textwrap.dedent(text), "{params}"]


def python(text: str) -> list[str]:
    return [
        sys.executable,
        "-S",
        "-c",
        textwrap.dedent(text).replace("{", "{{").replace("}", "}}"),
        "{params}",
    ]


def submit_with_neighbour(project: Project, run: str | list[str], **fields: Any) -> Path:
    """Submit a bad job and a good one behind it."""
    bad, good = project.job(run, name="bad", **fields), project.job(GOOD, name="good")
    return project.submit(bad, good)


def run_of(said: dict[str, Any], job: str) -> dict[str, Any]:
    found: dict[str, Any] = next(run for run in said["runs"] if run["job"] == job)
    return found


def folder_of(batch: Path, said: dict[str, Any], job: str = "bad") -> Path:
    run: str = run_of(said, job)["id"]
    return batch / "runs" / run


def check_bad(project: Project, batch: Path) -> dict[str, Any]:
    """Check a batch whose first run failed and whose second succeeded."""
    project.settle(batch)
    bad = run_of(project.status(batch), "bad")["id"]
    said = project.check_end(batch, failed=[bad])
    assert run_of(said, "good")["state"] == "succeeded"
    return said


def test_stop_ends_a_run_that_ignores_every_polite_signal(project: Project) -> None:
    script = """
        import os, signal, time
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
        open(os.environ["TALLY"] + "/deaf", "w").close()
        time.sleep(300)
    """
    batch = project.submit(project.job(python(script)))
    project.wait_for(batch, (project.tally / "deaf").exists)

    began = time.monotonic()
    project.call("stop")

    assert time.monotonic() - began < 20
    said = project.check_end(batch, state="cancelled")
    assert said["runs"][0]["reason"] == "stopped by request"


def test_a_run_that_is_deaf_to_its_time_limit_is_ended(project: Project) -> None:
    batch = submit_with_neighbour(project, shell("trap '' TERM; sleep 300 & wait"), limits={"run": "1s"})

    project.settle(batch)

    said = project.check_end(batch, state="failed")
    assert [run["state"] for run in said["runs"]] == ["timed_out", "succeeded"]


DAEMON = """
    import os, sys, time
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
    for descriptor in range(3): os.close(descriptor)
    WHO = "daemon"
    os.execve("/bin/sleep", ["sleep", "291"], ENVIRONMENT)
"""


@pytest.mark.parametrize("environment", ["dict(os.environ)", "{}"], ids=["inherited", "cleaned"])
def test_a_daemon_ends_with_its_run(project: Project, environment: str) -> None:
    batch = submit_with_neighbour(project, python(DAEMON.replace("ENVIRONMENT", environment)))

    project.check_end(batch)

    assert sleepers("291") == set()


@pytest.mark.parametrize("environment", ["dict(os.environ)", "{}"], ids=["inherited", "cleaned"])
def test_stop_ends_the_daemons_of_a_run(project: Project, environment: str) -> None:
    daemon = textwrap.dedent(DAEMON).replace("ENVIRONMENT", environment).replace("291", "292")
    script = f"import os, time\nif os.fork() == 0:\n{textwrap.indent(daemon, '    ')}\ntime.sleep(300)\n"
    batch = project.submit(project.job(python(script)))
    wait_for(lambda: sleepers("292"), told=lambda: project.told(batch))

    project.call("stop")

    project.check_end(batch, state="cancelled")
    assert sleepers("292") == set()


def sleepers(seconds: str) -> set[int]:
    return {pid for pid, argv in all_argv() if argv[:2] == [b"sleep", seconds.encode()]}


def test_two_gigabytes_of_log_never_take_more_than_the_limit(project: Project) -> None:
    script = """
        import os
        block = (b"x" * 1023 + b"\\n") * 1024
        os.write(1, b"the head\\n")
        for _ in range(2048): os.write(1, block)
        os.write(2, b"the tail\\n")
    """
    began = time.monotonic()
    batch = submit_with_neighbour(project, python(script))
    largest = 0
    while project.runners(batch):
        logs = [path.stat().st_size for path in batch.glob("runs/bad-*/log.txt")]
        largest = max([largest, *logs])
        time.sleep(0.002)

    said = project.check_end(batch)
    log = (folder_of(batch, said) / "log.txt").read_bytes()
    assert time.monotonic() - began < 120
    assert largest <= LIMIT_BYTES + 2**20
    assert len(log) <= LIMIT_BYTES
    assert log.startswith(b"the head\nxxx")
    assert log.endswith(b"xxx\nthe tail\n")
    assert log.count(b"bytes left out here; the log reached its limit of 64MB") == 1


def test_a_binary_log_is_kept_as_it_was_printed(project: Project) -> None:
    script = "import os\nos.write(1, bytes(range(256)) * 64 + b'\\x1b]0;title\\x07\\xff\\xfe')"
    batch = submit_with_neighbour(project, python(script))

    said = project.check_end(batch)

    log = (folder_of(batch, said) / "log.txt").read_bytes()
    assert log == bytes(range(256)) * 64 + b"\x1b]0;title\x07\xff\xfe"
    assert project.call("logs", run_of(said, "bad")["id"]).returncode == 0
    assert "\x1b" not in project.call("status").stdout


def test_a_run_that_succeeds_with_nan_is_a_success_whose_metrics_are_null(project: Project) -> None:
    script = """
        import os, pathlib
        place = pathlib.Path(os.environ["LAUNCHER_OUTPUT"]).parent
        place.joinpath("history.csv").write_text("fit,epoch,attempt,seconds,loss\\n0,0,1,0.1,nan\\n0,1,1,0.1,inf\\n")
        place.joinpath("metrics.json").write_text(
            '{"evaluate": [{"values": {"loss": NaN}}], "metric": "loss", "mode": "min",'
            ' "best": null, "last": {"loss": Infinity}}'
        )
    """
    batch = submit_with_neighbour(project, python(script))

    said = project.check_end(batch)

    bad = run_of(said, "bad")
    assert (bad["state"], bad["epochs"]) == ("succeeded", 2)
    assert bad["metrics"]["evaluate"] == [{"values": {"loss": None}}]
    assert bad["metrics"]["last"] == {"loss": None}
    strict_json(project.call("compare", "--json").stdout)
    assert project.call("compare").returncode == 0


@pytest.mark.keras
def test_keras_that_ends_well_with_nan_leaves_metrics_that_are_json(project: Project) -> None:
    script = """
        import keras, numpy
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(loss="mse", optimizer="sgd")
        model.fit(numpy.ones((4, 2)), numpy.full((4, 1), numpy.nan), epochs=2, verbose=0)
    """
    batch = project.submit(project.job("python train.py", code={"train.py": textwrap.dedent(script)}))

    said = project.check_end(batch)

    run = said["runs"][0]
    metrics = strict_json((batch / "runs" / run["id"] / "metrics.json").read_text())
    assert run["epochs"] == 2
    assert metrics["last"]["loss"] is None


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("exit 137", 137, "exit code 137, by which a shell tells SIGKILL (often: out of memory)"),
        ("exit 255", 255, "exit code 255"),
        ("kill -9 $$", None, "killed by SIGKILL (often: out of memory)"),
        ("kill -SEGV $$", None, "killed by SIGSEGV"),
        ("exec no-such-program", 127, "exit code 127"),
    ],
)
def test_a_bad_end_is_told_by_code_or_signal(
    project: Project, script: str, code: int | None, reason: str
) -> None:
    batch = submit_with_neighbour(project, shell(script))

    said = check_bad(project, batch)

    bad = run_of(said, "bad")
    assert (bad["exit_code"], bad["reason"]) == (code, reason)


def test_a_run_that_removes_its_work_folder_is_a_success(project: Project) -> None:
    batch = submit_with_neighbour(project, shell('rm -rf "$PWD"'))

    project.check_end(batch)


def test_a_run_that_removes_its_outputs_is_a_success(project: Project) -> None:
    batch = submit_with_neighbour(project, shell('echo new > new.txt; rm -rf "$LAUNCHER_OUTPUT"; echo out'))

    said = project.check_end(batch)

    assert (folder_of(batch, said) / "outputs" / "new.txt").read_text() == "new\n"


@pytest.mark.parametrize(
    "way", ['rm -rf "$HERE"', 'mv "$HERE" "$TALLY/away"', 'rm -rf "$HERE"; echo x > "$HERE"']
)
def test_a_run_that_removes_its_whole_folder_harms_only_itself(project: Project, way: str) -> None:
    batch = submit_with_neighbour(project, shell('HERE="$(dirname "$LAUNCHER_OUTPUT")"; cd /; ' + way))
    project.settle(batch)

    said = project.check(batch)

    assert run_of(said, "good")["state"] == "succeeded"
    assert run_of(said, "bad")["state"] in {"succeeded", "failed"}
    project.resume(batch, "--failed")
    project.check(batch)


def test_a_run_that_removes_the_folders_of_all_runs_harms_no_state_of_the_batch(project: Project) -> None:
    script = 'HERE="$(dirname "$LAUNCHER_OUTPUT")"; cd /; rm -rf "$(dirname "$HERE")"'
    batch = submit_with_neighbour(project, shell(script))

    project.settle(batch)
    project.check(batch)

    project.resume(batch, "--failed")

    assert run_of(project.check(batch), "good")["state"] == "succeeded"


def test_a_script_that_appends_to_its_own_data_starts_each_run_with_the_original(project: Project) -> None:
    script = "echo more >> data.txt; cat data.txt; chmod 600 data.txt"
    batch = project.submit(project.job(shell(script), runs=3), "--slots", "2")

    said = project.check_end(batch)

    logs = {(batch / "runs" / run["id"] / "log.txt").read_text() for run in said["runs"]}
    kept = {(batch / "runs" / run["id"] / "outputs" / "data.txt").read_text() for run in said["runs"]}
    assert logs == kept == {"data\nmore\n"}
    assert (batch / "code" / "job" / "data.txt").read_text() == "data\n"
    assert (project.folder / "code-job" / "data.txt").read_text() == "data\n"


def test_runs_in_two_slots_that_write_the_same_name_keep_their_own(project: Project) -> None:
    script = """
        for i in 1 2 3 4 5; do
            echo "$LAUNCHER_RUN" >> result.txt; echo "$LAUNCHER_RUN" >> "$LAUNCHER_OUTPUT/own.txt"; sleep 0.02
        done
    """
    batch = project.submit(project.job(shell(script), runs=4), "--slots", "2")

    said = project.check_end(batch)

    for run in said["runs"]:
        outputs = batch / "runs" / run["id"] / "outputs"
        assert (outputs / "result.txt").read_text() == f"{run['id']}\n" * 5
        assert (outputs / "own.txt").read_text() == f"{run['id']}\n" * 5


def test_a_run_cannot_change_the_past_of_another(project: Project) -> None:
    """A file that was kept is no link to one that a later run writes."""
    script = 'echo "$LAUNCHER_RUN" >> shared.txt; ln shared.txt linked.txt'
    batch = project.submit(project.job(shell(script), runs=2))

    said = project.check_end(batch)

    inodes = [(batch / "runs" / run["id"] / "outputs" / "shared.txt").stat().st_ino for run in said["runs"]]
    assert len(set(inodes)) == 2
