"""status, logs and compare: what they print, for people and for scripts."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.cli.kit import LAUNCHER

if TYPE_CHECKING:
    from tests.cli.kit import Project

RUN_KEYS = (
    "id job params seed fold state exit_code attempts epochs started_at ended_at reason metrics".split()  # noqa: SIM905
)
METRICS = """
echo "fit,epoch,attempt,seconds,loss,val_loss" > "$LAUNCHER_OUTPUT/../history.csv"
echo "0,0,1,2.0,0.5,$LAUNCHER_SEED.{a}" >> "$LAUNCHER_OUTPUT/../history.csv"
"""


def test_status_json_has_exactly_the_promised_keys(project: Project) -> None:
    project.launcher("submit", project.job("exit 3", params={"a": 1}, seed=7, folds=2))

    status = project.status()

    assert list(status) == ["batch", "state", "on", "runs", "machine", "cost_usd"]
    assert [list(run) for run in status["runs"]] == [list(RUN_KEYS)] * 2
    assert (status["state"], status["on"], status["machine"], status["cost_usd"]) == (
        "failed",
        "local",
        None,
        0,
    )
    run = status["runs"][1]
    assert run["params"] == {"a": 1, "fold": 1, "folds": 2}
    assert (run["seed"], run["fold"], run["exit_code"], run["attempts"]) == (7, 1, 3, 1)
    assert run["reason"] == "exit code 3"


def test_times_are_stored_in_utc_and_shown_in_the_readers_zone(project: Project) -> None:
    project.good("submit", project.job())
    utc = datetime.fromisoformat(project.status()["runs"][0]["started_at"])
    assert utc.utcoffset() is not None

    hours = {
        zone: project.good("status", env={"TZ": zone}).split("started ")[1][:40]
        for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns")
    }

    assert f"{utc:%H:%M:%S}" in hours["UTC"]
    assert len(set(hours.values())) == 3
    assert str(utc.utcoffset()) == "0:00:00"


@pytest.mark.parametrize("command", ["status", "attach", "stop", "resume", "compare", "clean"])
def test_no_batch_at_all_is_wrong_use(project: Project, command: str) -> None:
    done = project.launcher(command)

    assert done.code == 2
    assert "There is no batch here" in done.err
    assert not project.home.exists()


@pytest.mark.parametrize("command", ["status", "attach", "stop", "resume", "compare"])
def test_an_empty_home_is_wrong_use(project: Project, command: str) -> None:
    project.home.mkdir()

    done = project.launcher(command)

    assert done.code == 2
    assert "There is no batch" in done.err


@pytest.mark.parametrize("command", ["status", "attach", "resume", "compare"])
def test_an_unknown_batch_is_wrong_use_and_the_right_one_is_named(project: Project, command: str) -> None:
    batch = project.submit(project.job())
    project.good("attach")

    done = project.launcher(command, batch.name[:-2])
    unknown = project.launcher(command, batch.name[:-2] + "zz")

    assert done.code == 0
    assert (unknown.code, unknown.out) == (2, "")
    assert f"Did you mean {batch.name}" in unknown.err


def test_a_batch_of_a_newer_launcher_is_refused_in_one_line(project: Project) -> None:
    batch = project.submit(project.job())
    project.good("attach")
    plan = json.loads((batch / "plan.json").read_bytes())
    (batch / "plan.json").write_text(json.dumps({**plan, "schema": 99, "launcher": "9.0"}))

    done = project.launcher("status")

    assert done.code == 2
    assert "was made by launcher 9.0" in done.err


def test_status_watch_in_a_pipe_goes_on(project: Project) -> None:
    project.good("submit", project.job())
    watch = project.start("status", "--watch", "--json")
    assert watch.stdout is not None

    lines = [watch.stdout.readline() for _ in range(4)]
    time.sleep(0.1)

    assert lines[0] == "{\n"
    assert watch.poll() is None


# logs


def test_logs_finds_a_run_by_prefix_by_batch_and_in_older_batches(project: Project) -> None:
    old = project.submit(project.job("echo old", "old"))
    project.good("attach")
    project.good("submit", project.job("echo new", "new"))

    assert project.good("logs", "n") == "new\n"
    assert project.good("logs", "old-0000") == "old\n"
    assert project.good("logs", f"{old.name}/o") == "old\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["nope"], "No run begins with 'nope'"), (["job-000"], "2 runs"), ([], "RUN"), (["x/job"], "No batch")],
)
def test_logs_of_what_is_not_there(project: Project, words: list[str], said: str) -> None:
    project.good("submit", project.job(repeats=2))

    done = project.launcher("logs", *words)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_logs_in_a_pipe_are_the_bytes_of_the_log(project: Project) -> None:
    project.good("submit", project.job(r"printf '\033[31mred\r\200\377\nend'"))

    done = subprocess.run(
        [LAUNCHER, "logs", "job"], capture_output=True, cwd=project.folder, env=project.environ, check=True
    )

    assert done.stdout == b"\x1b[31mred\r\x80\xff\nend"


def test_logs_of_a_run_that_has_not_started_are_empty(project: Project) -> None:
    project.submit(project.job('while ! test -e "$SHARED/go"; do sleep 0.05; done', repeats=2))

    done = project.launcher("logs", "job-0001")
    (project.shared / "go").touch()

    assert (done.code, done.out) == (0, "")
    project.good("attach")


def test_a_tail_shows_a_line_within_a_second_and_ends_with_the_run(project: Project) -> None:
    job = project.job(
        'touch "$SHARED/up"; until test -e "$SHARED/go"; do sleep 0.02; done; '
        "python -c 'import time; print(time.time())'; sleep 0.5; echo end"
    )
    project.submit(job)
    project.wait_for_shared("up")
    tail = project.start("logs", "-f", "job")
    time.sleep(1)
    assert tail.stdout is not None

    (project.shared / "go").touch()
    written = float(tail.stdout.readline())
    shown = time.time()

    assert shown - written < 1
    assert tail.stdout.read() == "end\n"
    assert tail.wait(10) == 0


def test_a_tail_of_a_queued_run_waits_for_it(project: Project) -> None:
    project.submit(
        project.job('until test -e "$SHARED/go"; do sleep 0.02; done; echo "$LAUNCHER_RUN"', repeats=2)
    )
    tail = project.start("logs", "-f", "job-0001")
    time.sleep(0.5)
    assert tail.poll() is None

    (project.shared / "go").touch()
    out, _ = tail.communicate(timeout=30)

    assert out.startswith("job-0001")


def test_a_reader_that_leaves_early_is_no_error(project: Project) -> None:
    project.good("submit", project.job("seq 300000"))

    done = subprocess.run(
        f"set -o pipefail; '{LAUNCHER}' logs job | head -n 1",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        cwd=project.folder,
        env=project.environ,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")


# compare


def test_compare_of_the_newest_batch_shows_the_statistics(project: Project) -> None:
    project.good("submit", project.job(METRICS, grid={"a": [0, 5]}, seed=1, repeats=3, metric="val_loss"))

    page = project.good("compare")
    group = json.loads(project.good("compare", "--json"))["groups"][0]

    assert [word in page for word in ("variant", "n", "mean", "sd", "se", "95 % interval")] == [True] * 6
    assert "a=0" in page
    assert group["metric"] == "val_loss"
    assert len(group["rows"]) == 2


def test_compare_of_several_batches_and_of_another_metric(project: Project) -> None:
    job = project.job(METRICS, params={"a": 0}, seed=1, repeats=2, metric="val_loss")
    batches = []
    for _ in range(2):
        project.good("submit", job)
        batches.append(project.status()["batch"])

    groups = json.loads(project.good("compare", *batches, "--metric", "loss", "--json"))["groups"]

    assert {group["batch"] for group in groups} == set(batches)
    assert {group["metric"] for group in groups} == {"loss"}
