"""rehearse: says what would have failed, and leaves no trace of having tried."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.kit import LAUNCHER, wait_for

if TYPE_CHECKING:
    from tests.cli.kit import Project

LONG = 'touch "$SHARED/up"; sleep 1000'
KERAS = """
import keras, numpy as np
x = np.zeros((640, 4), "float32")
model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
history = model.fit(x, x[:, :1], epochs=5000, verbose=0)
print("epochs", len(history.history["loss"]))
"""


@pytest.fixture(autouse=True)
def _own_temporary_folder(project: Project) -> None:
    project.environ["TMPDIR"] = str(project.shared)


def leftovers(project: Project) -> list[str]:
    return [path.name for path in project.shared.glob("launcher-rehearse-*")]


def test_jobs_are_tried_once_each_in_a_folder_that_is_thrown_away(project: Project) -> None:
    count = ': {params}; echo "$LAUNCHER_RUN" >> "$SHARED/ran"; test "$(cat data.txt)" = data'
    jobs = [project.job(count, name, grid={"a": [1, 2]}, repeats=5) for name in ("one", "two")]

    done = project.launcher("rehearse", *jobs)

    assert done.code == 0, done
    assert "2 of 2 jobs passed" in done.out
    assert "no Keras fit seen" in done.out
    assert sorted(line[:8] for line in (project.shared / "ran").read_text().splitlines()) == [
        "one-0000",
        "two-0000",
    ]
    assert leftovers(project) == []
    assert not project.home.exists()


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (["python", "-c", "import not_there_at_all"], "No module named 'not_there_at_all'"),
        ("cat missing.csv", "missing.csv"),
        ("echo before; exit 3", "exit code 3"),
        (["no-such-program"], "no-such-program"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
def test_what_would_have_failed_is_said(project: Project, run: str | list[str], said: str) -> None:
    jobs = project.job(run, "bad"), project.job(name="good")

    done = project.launcher("rehearse", *jobs)

    assert done.code == 1
    assert "1 of 2 jobs passed" in done.out
    assert said in done.out
    assert leftovers(project) == []


@pytest.mark.keras
def test_a_keras_job_is_tried_for_one_batch_and_a_wrong_shape_is_found(project: Project) -> None:
    jobs = [
        project.job("python train.py", name, files={"train.py": KERAS.replace("WIDTH", width)})
        for name, width in (("good", "4"), ("bad", "5"))
    ]

    done = project.launcher("rehearse", *jobs)

    assert done.code == 1
    assert "ok    good" in done.out
    assert "history seen" in done.out
    assert "fails bad" in done.out
    assert "shape" in done.out


def test_a_job_that_waits_for_another_is_tried_all_the_same(project: Project) -> None:
    jobs = project.job("exit 1", "first"), project.job(name="second", after=["first"])

    done = project.launcher("rehearse", *jobs)

    assert "1 of 2 jobs passed" in done.out


def test_a_job_that_takes_long_is_ended_at_the_limit(project: Project) -> None:
    done = project.launcher("rehearse", project.job("sleep 1000"), "--limit", "1s")

    assert done.code == 0
    assert "nothing had failed after 1 s" in done.out
    wait_for(lambda: project.processes() == [])


def test_ctrl_c_leaves_nothing_behind(project: Project) -> None:
    job = project.job(LONG)

    with project.terminal(LAUNCHER, "rehearse", job) as terminal:
        project.wait_for_shared("up")
        terminal.type("\x03")
        assert terminal.wait() == 130

    assert project.processes() == []
    assert leftovers(project) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(project: Project, number: int) -> None:
    process = project.start("rehearse", project.job(LONG))
    project.wait_for_shared("up")

    process.send_signal(number)

    assert process.wait(30) == 130
    assert project.processes() == []
    assert leftovers(project) == []


def test_a_terminal_that_closes_leaves_nothing_behind(project: Project) -> None:
    with project.terminal("/bin/sh", "-c", '"$@"; true', "sh", LAUNCHER, "rehearse", project.job(LONG)):
        project.wait_for_shared("up")

    wait_for(lambda: project.processes() == [] and leftovers(project) == [])
    assert list(project.shared.glob("launcher-bug-*")) == []


def test_a_wrong_limit_is_wrong_use(project: Project) -> None:
    done = project.launcher("rehearse", project.job(), "--limit", "soon")

    assert done.code == 2
    assert '"soon" is not a duration' in done.err


def test_where_batches_run_does_not_matter(project: Project) -> None:
    job = project.job(needs={"gpus": 8})

    done = project.launcher("rehearse", job, env={"LAUNCHER_ON": "ec2"})

    assert done.code == 0, done
