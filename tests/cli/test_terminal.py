"""What a person sees who sits at a terminal, and what Ctrl-C does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.cli.kit import LAUNCHER, wait_for

if TYPE_CHECKING:
    from tests.cli.kit import Project

UNTIL_GO = 'touch "$SHARED/$LAUNCHER_RUN"; while ! test -e "$SHARED/go"; do sleep 0.05; done'
CTRL_C = "\x03"


def test_a_terminal_shows_a_bar_and_a_line_for_each_running_run(project: Project) -> None:
    job = project.job(UNTIL_GO, repeats=3)

    with project.terminal(LAUNCHER, "submit", job, "--slots", "2") as terminal:
        terminal.read_until(
            "on local: 2 running, 1 queued", "0 of 3 runs ended", "job-0000-", "job-0001-", "━━━━"
        )
        (project.shared / "go").touch()
        assert terminal.wait() == 0

    assert "3 of 3 runs ended" in terminal.text
    assert "\x1b[?25l" in terminal.raw
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l"), "the cursor is back"


def test_a_live_line_has_epoch_metric_and_time(project: Project) -> None:
    history = "fit,epoch,attempt,seconds,loss,val_loss\\n0,0,1,2.0,0.5,0.25\\n"
    job = project.job(
        f': {{params}}; printf "{history}" > "$LAUNCHER_OUTPUT/../history.csv"; {UNTIL_GO}',
        params={"epochs": 4},
    )

    with project.terminal(LAUNCHER, "submit", job) as terminal:
        terminal.read_until("epoch 1/4", "val_loss 0.25", "left")
        (project.shared / "go").touch()
        assert terminal.wait() == 0


def test_a_dumb_terminal_gets_plain_lines(project: Project) -> None:
    with project.terminal(LAUNCHER, "submit", project.job(), env={"TERM": "dumb"}) as terminal:
        assert terminal.wait() == 0

    assert "1 of 1 run ended" in terminal.text
    assert "\x1b[?25l" not in terminal.raw


def test_one_ctrl_c_leaves_it_running_and_says_how_to_come_back(project: Project) -> None:
    with project.terminal(LAUNCHER, "submit", project.job(UNTIL_GO)) as terminal:
        terminal.read_until("1 running")
        terminal.type(CTRL_C)
        assert terminal.wait() == 0

    batch = project.batches()[0].name
    assert f"Left running. Come back: launcher attach {batch}" in terminal.text
    assert project.states() == ["running"]
    (project.shared / "go").touch()
    assert project.launcher("attach").code == 0


def test_a_second_ctrl_c_stops_the_batch_and_leaves_no_process(project: Project) -> None:
    with project.terminal(LAUNCHER, "submit", project.job(UNTIL_GO, repeats=2)) as terminal:
        terminal.read_until("1 running")
        terminal.type(CTRL_C)
        terminal.read_until("Ctrl-C again")
        terminal.type(CTRL_C)
        assert terminal.wait() == 130

    assert f"Go on: launcher resume {project.batches()[0].name}" in terminal.text
    assert project.states() == ["cancelled"] * 2
    wait_for(lambda: project.processes() == [])


def test_a_terminal_that_closes_ends_nothing(project: Project) -> None:
    with project.terminal(LAUNCHER, "submit", project.job(UNTIL_GO)) as terminal:
        terminal.read_until("1 running")

    assert project.states() == ["running"]
    (project.shared / "go").touch()
    project.wait_for_states("succeeded")


def test_ctrl_c_leaves_attach_too(project: Project) -> None:
    project.submit(project.job(UNTIL_GO))

    with project.terminal(LAUNCHER, "attach") as terminal:
        terminal.read_until("1 running")
        terminal.type(CTRL_C)
        assert terminal.wait() == 0

    assert project.states() == ["running"]
    (project.shared / "go").touch()
    project.good("attach")


def test_control_codes_of_a_log_do_not_reach_a_terminal(project: Project) -> None:
    text = r"\033]0;gotcha\007\033[31mred\033[0m \033[2Jé\001 10%%\r 50%%\r100%%\nlast \303"
    project.good("submit", project.job(f"printf '{text}'"))

    with project.terminal(LAUNCHER, "logs", "job-0000") as terminal:
        assert terminal.wait() == 0

    assert "\x1b" not in terminal.raw
    assert "100%\r\nlast" in terminal.raw
    assert "red" not in terminal.raw, "written over"


def test_a_following_terminal_shows_the_begin_of_a_line(project: Project) -> None:
    job = project.job(f"printf 'name: '; {UNTIL_GO}; echo Ada")
    project.submit(job)

    with project.terminal(LAUNCHER, "logs", "-f", "job-0000") as terminal:
        terminal.read_until("name: ")
        (project.shared / "go").touch()
        assert terminal.wait() == 0

    assert "name: Ada" in terminal.text


def test_watch_draws_anew_until_ctrl_c(project: Project) -> None:
    project.good("submit", project.job())

    with project.terminal(LAUNCHER, "status", "--watch") as terminal:
        terminal.read_until("succeeded")
        assert "\x1b[2J" in terminal.raw
        began = time.monotonic()
        terminal.type(CTRL_C)
        assert terminal.wait() == 0

    assert time.monotonic() - began < 10


def test_status_fits_a_narrow_terminal(project: Project) -> None:
    project.good("submit", project.job(grid={"a": ["long " * 20, "short"]}))

    with project.terminal(LAUNCHER, "status", columns=60) as terminal:
        assert terminal.wait() == 0

    assert "2 of 2 runs ended" in terminal.text
