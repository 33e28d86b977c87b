"""A batch on another computer by SSH: the command line, a real server, another HOME."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.cli.kit import LAUNCHER, kill, wait_for
from tests.sshd import running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.kit import Project
    from tests.sshd import Sshd

ON = ("--on", "ssh:box")
FILES = ("log.txt", "metrics.json", "outputs/result.txt", "params.json")
SCRIPT = """
import json, os, pathlib
params = json.loads(pathlib.Path(os.environ["LAUNCHER_PARAMS"]).read_text())
print("seed", os.environ["LAUNCHER_SEED"], params)
pathlib.Path("result.txt").write_text(str(sum(params.values())))
pathlib.Path(os.environ["LAUNCHER_OUTPUT"], "é \U0001f9a6").write_bytes(bytes(range(256)) * 4000)
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sshd]:
    """A server that the user's ssh knows as `box`, whose runs live in another HOME."""
    with running_sshd(tmp_path / "sshd", home=tmp_path / "their home") as server:
        ssh = tmp_path / ".ssh"
        ssh.mkdir()
        key = server.known.pinned()[0].line
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{server.address.port} {key}\n")
        (ssh / "config").write_text(
            f"Host box\n  HostName 127.0.0.1\n  Port {server.address.port}\n"
            f"  User {server.address.user}\n  IdentityFile {server.key}\n"
        )
        yield server
        assert end_runners(server) == []


def end_runners(box: Sshd) -> list[str]:
    """End what still runs in the other home. Returns: its commands."""
    left = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(box.home) in word for word in process.info["cmdline"] or ())
    ]
    psutil.wait_procs(left, timeout=10)
    left = [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    return [" ".join(process.info["cmdline"]) for process in left]


def waiting_job(project: Project, **fields: Any) -> str:
    return project.job(
        'echo one; touch "$SHARED/started"; while ! test -e "$SHARED/go"; do sleep 0.05; done; echo two',
        **fields,
    )


def results(batch: Path) -> dict[str, bytes]:
    runs = batch / "runs"
    return {
        path.relative_to(runs).as_posix(): path.read_bytes()
        for path in sorted(runs.rglob("*"))
        if path.is_file() and path.name not in {"state.json", "run.json"}
    }


def test_the_same_batch_gives_the_same_results_there_as_here(project: Project, box: Sshd) -> None:
    job = project.job(
        ["python", "train.py"],
        files={"train.py": SCRIPT},
        grid={"a": [1, 2]},
        repeats=2,
        seed=7,
    )
    here = project.submit(job)
    project.good("attach", here.name)

    done = project.launcher("submit", job, *ON)

    there = next(batch for batch in project.batches() if batch != here)
    assert (done.code, done.err.count("error")) == (0, 0), done
    assert "4 of 4 runs ended" in done.out
    assert project.states(there.name) == ["succeeded"] * 4
    assert results(there) == results(here)
    assert (box.home / ".launcher" / "batches" / there.name / "runs").is_dir()
    status = project.status(there.name)
    assert status["on"] == "ssh:box"


@pytest.mark.usefixtures("box")
def test_a_detached_batch_is_come_back_to_and_its_log_streams(project: Project) -> None:
    batch = project.submit(waiting_job(project), *ON)
    project.wait_for_shared("started")
    logs = project.start("logs", "job-0000", "-f")
    assert logs.stdout is not None
    assert logs.stdout.readline() == "one\n"
    assert project.states() == ["running"]

    (project.shared / "go").touch()

    assert project.launcher("attach", batch.name).code == 0
    assert logs.stdout.read() == "two\n"
    assert project.states() == ["succeeded"]


@pytest.mark.usefixtures("box")
def test_what_is_sent_and_what_stays_is_said(project: Project) -> None:
    job = project.job(files={"data.bin": "x" * 2_000_000, "mine.txt": "", ".gitignore": "mine.txt\n"})

    with project.terminal(LAUNCHER, "submit", job, *ON) as terminal:
        terminal.read_until("sending", "2.0/2.0 MB", "sent ", "succeeded")
        assert terminal.wait() == 0
    piped = project.launcher("submit", job, *ON)

    assert re.search(r"sent \d+ files, 2 MB\r\n", terminal.text), terminal.text
    assert re.search(r"^sent \d+ files, 1\.\d+ kB$", piped.err, re.MULTILINE), "the data is there already"
    assert "job goes without mine.txt (.gitignore" in piped.err
    assert "sending" not in piped.err


@pytest.mark.usefixtures("box")
def test_kill_9_of_the_client_ends_nothing_and_loses_nothing(project: Project) -> None:
    client = project.start("submit", waiting_job(project), *ON)
    project.wait_for_shared("started")
    kill(client)
    (project.shared / "go").touch()

    done = project.launcher("attach")

    assert done.code == 0, done
    assert project.good("logs", "job-0000") == "one\ntwo\n"


@pytest.mark.usefixtures("box")
def test_stop_cancels_there_and_resume_goes_on(project: Project) -> None:
    project.submit(waiting_job(project, repeats=2), *ON)
    project.wait_for_shared("started")

    stopped = project.good("stop")
    states = project.states()
    (project.shared / "go").touch()
    resumed = project.launcher("resume")

    assert stopped.startswith("stopped ")
    assert states == ["cancelled", "cancelled"]
    assert resumed.code == 0, resumed
    assert project.states() == ["succeeded", "succeeded"]
    assert "Nothing to do" in project.launcher("resume").err


def test_pull_brings_what_is_new_and_keeps_what_was_changed_at_home(project: Project, box: Sshd) -> None:
    batch = project.submit(waiting_job(project), *ON)
    project.wait_for_shared("started")
    project.good("pull")
    log = next((batch / "runs").glob("job-0000-*")) / "log.txt"
    log.write_text("mine\n")
    (project.shared / "go").touch()
    wait_for(
        lambda: (
            b'"batch_ended"' in (box.home / ".launcher/batches" / batch.name / "events.jsonl").read_bytes()
        )
    )

    done = project.launcher("pull")

    assert done.code == 0, done
    assert log.read_text() == "mine\n"
    assert [path.read_text() for path in log.parent.glob("log.txt.remote-*")] == ["one\ntwo\n"]
    assert "stands beside" in done.err
    assert "1 ended run at home" in done.out


def test_what_is_missing_at_home_is_named_and_the_exit_code_is_4(project: Project, box: Sshd) -> None:
    batch = project.submit(project.job("echo result > result.txt"), *ON)
    there = box.home / ".launcher/batches" / batch.name
    wait_for(lambda: b'"batch_ended"' in (there / "events.jsonl").read_bytes())
    next(there.glob("runs/*/outputs/result.txt")).write_text("other")

    done = project.launcher("pull")

    assert done.code == 4, done
    assert "outputs/result.txt" in done.err


def test_the_client_goes_on_through_a_connection_that_is_lost(project: Project, box: Sshd) -> None:
    client = project.start("submit", waiting_job(project), *ON)
    project.wait_for_shared("started")
    wait_for(lambda: project.batches() and (project.batches()[0] / "seen.json").exists())

    box.stop()
    errors = client.stderr
    assert errors is not None
    wait_for(lambda: "Trying again" in errors.readline())
    box.start()
    (project.shared / "go").touch()

    assert client.wait(60) == 0
    assert project.states() == ["succeeded"]


@pytest.mark.usefixtures("box")
def test_a_gpu_that_is_not_there_is_refused_without_cpu(project: Project) -> None:
    job = project.job(needs={"gpus": 1})

    refused = project.launcher("submit", job, *ON)
    ran = project.launcher("submit", job, *ON, "--cpu")

    assert refused.code == 2
    assert "a GPU is needed, and ssh:box has none" in refused.err
    assert ran.code == 0, ran


@pytest.mark.usefixtures("box")
def test_a_host_that_is_not_known_is_refused_and_leaves_nothing(project: Project) -> None:
    known = project.folder.parent / ".ssh" / "known_hosts"
    known.write_text("")

    done = project.launcher("submit", project.job(), *ON)

    assert done.code == 3
    assert "is not known" in done.err
    assert not project.home.exists()
    assert known.read_text() == ""


def test_a_submit_that_fails_before_it_began_leaves_nothing_there_either(project: Project, box: Sshd) -> None:
    job = project.job(files={"needs.txt": "nonsense===\n"}, environment="job/needs.txt")

    done = project.launcher("submit", job, *ON)

    assert done.code == 3, done
    assert "The environment could not be installed" in done.err
    assert not list((box.home / ".launcher" / "batches").iterdir())
    assert project.batches() == []


def test_the_runner_there_can_be_started_again_as_the_client_would(project: Project, box: Sshd) -> None:
    batch = project.submit(waiting_job(project), *ON)
    there = box.home / ".launcher/batches" / batch.name
    argv = json.loads((there / "start.json").read_bytes())["argv"]
    project.wait_for_shared("started")
    os.kill(json.loads((there / "runner.json").read_bytes())["pid"], signal.SIGKILL)

    assert argv[1:3] == ["-I", "-S"]
    (project.shared / "go").touch()
    assert subprocess.run(argv, check=False, cwd="/").returncode == 0
    assert project.launcher("attach").code == 0
    assert project.status()["runs"][0]["attempts"] == 2
