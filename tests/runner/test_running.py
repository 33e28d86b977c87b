"""Runs run in order, in their own folders, and what became of them is written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.runner.kit import Job, environment, write_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Home

SHOW_ENVIRONMENT = 'env -0 > "$LAUNCHER_OUTPUT/env"; pwd -P; command -v python'

NESTS = """
import os
for _ in range(1100):
    os.mkdir("d")
    os.chdir("d")
"""


def seen(batch: Any, run: int = 0) -> dict[str, str]:
    """What a run found in its environment."""
    entries = batch.outputs(run)["env"].decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_runs_run_in_order_one_at_a_time(home: Home, tmp_path: Path) -> None:
    script = 'echo "begin $LAUNCHER_RUN" >> "$ORDER"; sleep 0.01; echo "end $LAUNCHER_RUN" >> "$ORDER"'
    order = tmp_path / "order"
    batch = home.freeze(
        Job(script, name="b", runs=3, env={"ORDER": str(order)}),
        Job(script, name="a", runs=2, env={"ORDER": str(order)}),
    )

    batch.run()

    assert order.read_text().splitlines() == [
        f"{word} {run}" for run in batch.ids for word in ("begin", "end")
    ]
    assert batch.states() == ["succeeded"] * 5
    assert batch.started() == batch.ids


def test_a_success_says_when_and_nothing_else(home: Home) -> None:
    batch = home.freeze()

    batch.run()

    state = batch.state()
    assert {**state, "started_at": "", "ended_at": ""} == {
        "state": "succeeded",
        "exit_code": 0,
        "signal": None,
        "attempt": 1,
        "started_at": "",
        "ended_at": "",
        "reason": None,
    }
    assert state["started_at"] < state["ended_at"]
    assert state["ended_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("exit 3", (3, None, "exit code 3")),
        ("exit 130", (130, None, "exit code 130")),
        ("exit 137", (137, None, "exit code 137, by which a shell tells SIGKILL (often: out of memory)")),
        (
            "sh -c 'kill -SEGV $$'; exit $?",
            (139, None, "exit code 139, by which a shell tells SIGSEGV"),
        ),
        ("kill -9 $$", (None, 9, "killed by SIGKILL (often: out of memory)")),
        ("kill -11 $$", (None, 11, "killed by SIGSEGV")),
        ("kill -40 $$", (None, 40, "killed by signal 40")),
        (["no such'program"], (127, None, 'there is no program "no such\'program"')),
        (["./data.txt"], (None, None, "it could not be started: Permission denied: ./data.txt")),
        (["echo", "a\0b"], (None, None, "it could not be started: embedded null byte")),
        (["echo", "x" * 3_000_000], (None, None, "it could not be started: Argument list too long: echo")),
        (["echo", "\ud800"], (None, None, "it could not be started: 'utf-8' codec can't encode")),
    ],
)
def test_a_failure_says_why_and_the_batch_goes_on(
    home: Home, run: Any, expected: tuple[Any, Any, str]
) -> None:
    batch = home.freeze(Job(run, name="bad"), Job(name="good"))

    batch.run()

    state = batch.state(0)
    assert batch.states() == ["failed", "succeeded"]
    assert (state["exit_code"], state["signal"]) == expected[:2]
    assert state["reason"].startswith(expected[2])


def test_a_snapshot_that_is_gone_is_not_called_a_missing_program(home: Home) -> None:
    batch = home.freeze(Job(["true"]))
    (batch.folder / "code" / "job" / "data.txt").unlink()

    batch.run()

    assert batch.state()["exit_code"] is None
    assert batch.reason().startswith("it could not be started: No such file or directory: ")
    assert batch.reason().endswith("code/job/data.txt")


def test_what_cannot_be_made_ready_ahead_of_its_turn_is_told_at_its_turn(home: Home) -> None:
    batch = home.freeze(Job("sleep 0.5", name="first"), Job(["true"], name="second"))
    (batch.folder / "code" / "second" / "data.txt").unlink()

    batch.run()

    assert batch.states() == ["succeeded", "failed"]
    assert batch.reason(1).endswith("code/second/data.txt")


def test_many_runs_that_cannot_start_do_not_stop_the_batch(home: Home) -> None:
    batch = home.freeze(Job(["nowhere"], name="bad", runs=30), Job(name="good"))

    batch.run()

    assert batch.states() == ["failed"] * 30 + ["succeeded"]


def test_a_run_is_told_its_backend(home: Home) -> None:
    batch = home.freeze(Job('echo "$KERAS_BACKEND"', backend="jax"), Job('echo "$KERAS_BACKEND"', name="own"))

    batch.run()

    assert [batch.log(0), batch.log(1)] == [b"jax\n", b"\n"]


def test_a_run_finds_its_files_and_parameters_in_its_environment(home: Home) -> None:
    params = {"rate": 1e-3, "layers": [1, 2], "name": "ä'; b", "none": None}
    batch = home.freeze(Job(SHOW_ENVIRONMENT, params=params, folds=5, env={"OWN": "a'; echo b"}))

    batch.run(env={"LAUNCHER_ON": "ec2", "INHERITED": "yes"})

    folder = os.path.realpath(batch.run_folder(0))
    found = seen(batch)
    assert {key: value for key, value in found.items() if key.startswith("LAUNCHER_")} == {
        "LAUNCHER_OUTPUT": f"{folder}/outputs",
        "LAUNCHER_PARAMS": f"{folder}/params.json",
        "LAUNCHER_RUN": batch.ids[0],
        "LAUNCHER_SEED": "7",
    }
    assert (found["OWN"], found["INHERITED"], found["PYTHONUNBUFFERED"]) == ("a'; echo b", "yes", "1")
    assert batch.log().splitlines()[0].decode() == f"{folder}/work"
    assert json.loads((batch.run_folder(0) / "params.json").read_text()) == {
        "variant": 0,
        **params,
        "fold": 0,
        "folds": 5,
    }


def test_a_run_without_a_seed_finds_none(home: Home) -> None:
    batch = home.freeze(Job(SHOW_ENVIRONMENT, seed=None))

    batch.run()

    assert "LAUNCHER_SEED" not in seen(batch)


def test_what_a_run_was_started_with_is_written_down(home: Home) -> None:
    batch = home.freeze(Job("exit 1", retries=1, folds=2))

    batch.run()

    said = json.loads((batch.run_folder(0) / "run.json").read_text())
    assert said["id"] == batch.ids[0]
    assert said["argv"] == ["/bin/sh", "-c", "exit 1"]
    assert (said["seed"], said["fold"], said["folds"], said["attempt"]) == (7, 0, 2, 2)
    assert (said["rehearse"], said["note"], said["job"]) == (False, None, "job")
    assert said["params"] == {"variant": 0, "fold": 0, "folds": 2}


def test_python_is_the_interpreter_that_was_asked_for(home: Home) -> None:
    run = 'for name in python python3; do $name -c "import sys; print(sys.prefix)"; done'
    batch = home.freeze(Job(run))

    batch.run()

    assert batch.log().decode().split() == [sys.prefix] * 2


@pytest.mark.parametrize("siblings", [[], ["python"], ["python", "python3"]])
def test_python_is_right_where_the_interpreters_folder_holds_others_by_that_name(
    home: Home, tmp_path: Path, siblings: list[str]
) -> None:
    folder = tmp_path / "it's here"
    own = write_program(folder / "python3.99", '#!/bin/sh\necho "right $1"\n')
    for name in siblings:
        write_program(folder / name, "#!/bin/sh\necho wrong\n")
    batch = home.freeze(Job("python a; python3 b"), Job(["python", "c"], name="argv"))

    batch.run(python=str(own))

    assert batch.log(0) == b"right a\nright b\n"
    assert batch.log(1) == b"right c\n"


def test_what_stood_in_the_path_of_modules_stays_there(home: Home) -> None:
    batch = home.freeze(Job(SHOW_ENVIRONMENT), Job(SHOW_ENVIRONMENT, name="own", env={"PYTHONPATH": "/own"}))

    batch.run(env={"PYTHONPATH": "/mine:/yours"})

    inherited = seen(batch, 0)["PYTHONPATH"].split(":")
    assert inherited[0].endswith("/launcher/hooks")
    assert inherited[1:] == ["/mine", "/yours"]
    assert seen(batch, 1)["PYTHONPATH"].split(":")[1:] == ["/own"]


def test_hooks_stand_alone_in_the_path_of_modules_where_nothing_else_does(home: Home) -> None:
    batch = home.freeze(Job(SHOW_ENVIRONMENT))

    batch.run(env={"PYTHONPATH": ""})

    assert seen(batch)["PYTHONPATH"].endswith("/launcher/hooks")


def test_a_verdict_is_the_reason_and_forbids_a_retry(home: Home) -> None:
    run = """echo '{"reason": "loss is NaN in epoch 3"}' > ../verdict.json; exit 1"""
    batch = home.freeze(Job(run, retries=3))

    batch.run()

    assert (batch.state()["state"], batch.reason()) == ("failed", "loss is NaN in epoch 3")
    assert batch.state()["attempt"] == 1


def test_a_verdict_stands_also_where_the_shell_went_on_and_ended_well(home: Home) -> None:
    batch = home.freeze(Job("""echo '{"reason": "NaN"}' > ../verdict.json; exit 0"""))

    batch.run()

    assert (batch.state()["state"], batch.reason()) == ("failed", "NaN")


def test_a_verdict_of_an_earlier_attempt_is_forgotten(home: Home) -> None:
    run = """
        test -e ../verdict.json && exit 9
        echo '{"reason": "NaN"}' > ../verdict.json; exit 1
    """
    batch = home.freeze(Job(run))
    batch.run()
    batch.request("resume", "--failed")

    batch.run()

    assert batch.reason() == "NaN"
    assert batch.state()["attempt"] == 2


def test_a_run_that_removes_its_own_folder_is_no_trouble(home: Home) -> None:
    gone = 'rm -rf "$(dirname "$LAUNCHER_OUTPUT")"'
    batch = home.freeze(
        Job(gone, name="run"),
        Job('rm -rf "$PWD"', name="work"),
        Job("rm -rf ../outputs", name="outputs"),
        Job(),
    )

    batch.run()

    assert batch.states() == ["succeeded"] * 4
    assert not list(batch.folder.glob("runs/*/work"))


def test_every_folder_of_code_is_gone_in_the_end(home: Home) -> None:
    batch = home.freeze(Job("exit 1", name="a", runs=2, retries=1), Job("echo x > new", name="b", runs=3))

    batch.run()

    assert not list(batch.folder.glob("runs/*/work"))
    assert not (batch.folder / ".spares").exists()
    assert not (batch.folder / ".ballast").exists()


def test_a_script_that_appends_to_its_own_data_does_so_to_its_own_copy(home: Home) -> None:
    batch = home.freeze(Job("echo more >> data.txt; cat data.txt", runs=3))

    batch.run()

    assert {batch.log(run) for run in range(3)} == {b"data\nmore\n"}
    assert batch.outputs(2) == {"data.txt": b"data\nmore\n"}
    assert (batch.folder / "code" / "job" / "data.txt").read_text() == "data\n"


def test_two_at_a_time_never_see_each_others_files(home: Home) -> None:
    run = 'test -e same && exit 9; echo "$LAUNCHER_RUN" > same; sleep 0.1; grep -q "$LAUNCHER_RUN" same'
    batch = home.freeze(Job(run, runs=4), slots=2)

    batch.run()

    assert batch.states() == ["succeeded"] * 4
    assert [batch.outputs(run)["same"].decode().strip() for run in range(4)] == batch.ids


def test_new_and_changed_files_are_kept_and_unchanged_ones_are_not(home: Home) -> None:
    run = """
        mkdir -p deep/er; echo new > deep/er/new; echo changed >> change
        ln -s nowhere link; ln -s deep folder
        echo mine > "$LAUNCHER_OUTPUT/change"; mkfifo pipe; mkdir __pycache__; echo > __pycache__/a.pyc
    """
    batch = home.freeze(Job(run, code={"change": "given ", "keep": "kept", "sub/keep": "kept"}))

    batch.run()

    outputs = batch.run_folder(0) / "outputs"
    assert batch.outputs() == {
        "change": b"mine\n",
        "change~1": b"given changed\n",
        "deep/er/new": b"new\n",
    }
    assert [str((outputs / name).readlink()) for name in ("link", "folder")] == ["nowhere", "deep"]


def test_what_a_retry_leaves_replaces_what_the_attempt_before_left(home: Home) -> None:
    run = 'echo x >> model; echo again >> "$LAUNCHER_OUTPUT/other"; touch other; test -e ../outputs/model'
    batch = home.freeze(Job(run, retries=1))

    batch.run()

    assert batch.states() == ["succeeded"]
    assert set(batch.outputs()) == {"model", "other", "other~1"}
    assert batch.outputs()["other"] == b"again\nagain\n"
    assert len(batch.outputs()["model"].splitlines()) == 1


def test_an_old_date_does_not_make_a_kept_file_an_earlier_attempts(home: Home) -> None:
    run = 'echo theirs > "$LAUNCHER_OUTPUT/x"; touch -d 2001-01-01 "$LAUNCHER_OUTPUT/x"; echo ours > x'
    batch = home.freeze(Job(run))

    batch.run()

    assert batch.outputs() == {"x": b"theirs\n", "x~1": b"ours\n"}


def test_outputs_that_cannot_be_collected_fail_a_success_and_are_left_where_they_are(home: Home) -> None:
    run = 'mkdir sub; echo x > sub/file; echo > "$LAUNCHER_OUTPUT/sub"'
    batch = home.freeze(Job(run), Job(run + "; exit 3", name="failing"), Job(name="next"))

    batch.run()

    assert batch.states() == ["failed", "failed", "succeeded"]
    assert batch.reason(0).startswith("its outputs could not be collected: File exists")
    assert batch.reason(1).startswith("exit code 3; its outputs could not be collected: File exists")
    assert (batch.run_folder(0) / "work" / "sub" / "file").read_text() == "x\n"


def test_a_work_folder_that_became_a_link_takes_nothing_from_where_it_leads(
    home: Home, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    (precious / "closed").mkdir(parents=True)
    (precious / "thesis").write_text("years")
    (precious / "closed").chmod(0o500)
    run = 'w="$PWD"; rm -rf "$w"; ln -s "$PRECIOUS" "$w"; exit 1'
    batch = home.freeze(Job(run, retries=1, env={"PRECIOUS": str(precious)}))

    batch.run()

    assert (precious / "thesis").read_text() == "years"
    assert (precious / "closed").stat().st_mode & 0o777 == 0o500
    assert batch.outputs() == {}
    assert not (batch.run_folder(0) / "work").is_symlink()


def test_a_run_that_nests_folders_without_end_is_cleared_away(home: Home) -> None:
    batch = home.freeze(Job([sys.executable, "-S", "-c", NESTS]), Job(name="next"))

    batch.run()

    assert batch.states() == ["succeeded"] * 2
    assert not list(batch.folder.glob("runs/*/work"))


def test_a_file_too_deep_to_be_kept_fails_its_run_and_no_other(home: Home) -> None:
    batch = home.freeze(Job([sys.executable, "-S", "-c", NESTS + "open('deepest', 'w')"]), Job(name="next"))

    batch.run()

    assert batch.states() == ["failed", "succeeded"]
    assert batch.reason() == "its outputs could not be collected: File name too long"
    subprocess.run(["rm", "-rf", str(batch.folder / "runs")], check=True)  # more than pytest can


def test_a_batch_that_is_done_starts_nothing(home: Home) -> None:
    batch = home.freeze()
    batch.run()
    before = batch.state()

    batch.run()

    assert batch.state() == before
    assert len(batch.started()) == 1


def test_a_batch_of_no_runs_ends_at_once(home: Home) -> None:
    batch = home.freeze(Job(runs=0))

    batch.run()

    assert batch.manifest() == {}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (None, "holds no readable plan.json"),
        ("{torn", "holds no readable plan.json"),
        ("{}", "holds no readable plan.json"),
        ('{"schema": 2}', "was made by a newer launcher (schema 2)"),
    ],
)
@pytest.mark.parametrize("action", ["run", "cancel"])
def test_a_plan_that_cannot_be_read_is_refused_in_one_line(
    home: Home, action: str, plan: str | None, said: str
) -> None:
    import subprocess

    batch = home.freeze()
    (batch.folder / "plan.json").unlink()
    if plan is not None:
        (batch.folder / "plan.json").write_text(plan)
    before = sorted(batch.folder.rglob("*"))

    done = subprocess.run(
        [sys.executable, "-m", "launcher.runner", action, str(batch.folder)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )

    assert (done.returncode, done.stderr) == (2, f"{os.path.realpath(batch.folder)} {said}\n")
    assert sorted(batch.folder.rglob("*")) == before
