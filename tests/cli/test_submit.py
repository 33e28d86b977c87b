"""submit and plan: what is said where, what is written when, and by what a run counts as done."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.kit import Project

WAIT_FOR_ALL = """
touch "$SHARED/$LAUNCHER_RUN"
for i in $(seq 200); do test $(ls "$SHARED" | wc -l) -ge {n} && exit; sleep 0.1; done; exit 1
"""


def test_follows_to_the_end_with_progress_on_stderr_and_the_outcome_on_stdout(project: Project) -> None:
    job = project.job("echo hello; cat data.txt", repeats=2)

    done = project.launcher("submit", job)

    assert done.code == 0
    assert "succeeded on local" in done.out
    assert "2 of 2 runs ended" in done.out
    assert done.err.startswith("2 runs of 1 job on local\n")
    assert "\x1b" not in done.out + done.err
    assert project.states() == ["succeeded"] * 2
    assert project.good("logs", "job-0000") == "hello\ndata\n"


def test_exits_with_1_when_a_run_failed_and_runs_the_others(project: Project) -> None:
    jobs = project.job("exit 7", "bad"), project.job(name="good")

    done = project.launcher("submit", *jobs)

    assert done.code == 1
    assert project.states() == ["failed", "succeeded"]
    assert "exit code 7" in done.out


BAD_INPUT: list[tuple[list[str], dict[str, str], str]] = [
    (["missing.yaml"], {}, "missing.yaml"),
    (["bad.yaml"], {}, "Did you mean repeats?"),
    (["job.yaml", "job.yaml"], {}, "job"),
    (["job.yaml", "--set", "repeat=3"], {}, "repeats"),
    (["job.yaml", "--set", "repeats"], {}, "--set"),
    (["job.yaml", "--slots", "0"], {}, "--slots"),
    (["job.yaml", "--detatch"], {}, "--detach"),
    (["job.yaml", "--on", "ssh:gpu box"], {}, "names no computer"),
    (["job.yaml", "--on", "moon"], {}, "There is no place 'moon'"),
    (["job.yaml"], {"LAUNCHER_SLOTS": "two"}, "LAUNCHER_SLOTS"),
    ([], {}, "FILES"),
]


@pytest.mark.parametrize(("words", "env", "said"), BAD_INPUT)
def test_bad_input_is_told_and_nothing_is_written(
    project: Project, words: list[str], env: dict[str, str], said: str
) -> None:
    project.job()
    project.job(name="bad", repets=3)

    done = project.launcher("submit", *words, env=env)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert said in done.err
    assert not project.home.exists()


@pytest.mark.parametrize(("words", "env"), [(["--on", "ec2"], {}), ([], {"LAUNCHER_ON": "ec2"})])
def test_what_may_cost_money_is_agreed_to_by_somebody(
    project: Project, words: list[str], env: dict[str, str]
) -> None:
    done = project.launcher("submit", project.job(), *words, env=env)

    assert (done.code, done.out) == (2, "")
    assert re.search(
        r"error: This may cost up to \$[0-9.]+, and nobody is here to agree\.\n  Say --yes", done.err
    )
    assert not project.home.exists()


def test_detach_prints_the_id_alone_and_returns_while_the_batch_runs(project: Project) -> None:
    job = project.job('touch "$SHARED/started"; while ! test -e "$SHARED/go"; do sleep 0.05; done')

    done = project.launcher("submit", job, "--detach")

    assert done.code == 0
    assert re.fullmatch(r"\d{8}-\d{4}-[a-z]+-[a-z]+\n", done.out)
    assert project.status(done.out.strip())["state"] in {"running", "queued"}
    project.wait_for_shared("started")
    assert project.states() == ["running"]
    (project.shared / "go").touch()
    assert project.launcher("attach").code == 0


def test_a_detached_batch_is_in_its_runners_hands_already(project: Project) -> None:
    batch = project.submit(project.job())

    assert (batch / "runner.json").exists()


def test_the_plan_is_what_submit_writes_and_the_same_each_time(project: Project) -> None:
    job = project.job(
        "echo {params}", params={"b": 1}, grid={"a": [1, "x y", None]}, seed=7, repeats=2, folds=2
    )

    plans = [
        project.good(*words, job, "--json", "--slots", "2")
        for words in (("plan",), ("plan",), ("submit", "--plan"))
    ]

    assert len(set(plans)) == 1
    assert not project.home.exists()
    plan = json.loads(plans[0])
    assert len(plan["runs"]) == 3 * 2 * 2
    assert set(plan) >= {"runs", "limits", "code", "offers"}
    frozen = json.loads((project.submit(job, "--slots", "2") / "plan.json").read_bytes())
    assert set(frozen) - set(plan) == {"id", "created_at"}
    assert {key: plan[key] for key in frozen if key in plan} == {
        key: value for key, value in frozen.items() if key in plan
    }
    project.good("attach")


def test_the_plan_reads_as_a_page(project: Project) -> None:
    job = project.job("echo", grid={"a": [1, 2]}, limits={"run": "2h", "batch": "9h", "retries": 1})

    page = project.good("plan", job)

    assert page.startswith("2 runs of 1 job on local\n")
    assert "echo --a=1" in page
    assert "2h a run, 1 retry" in page


def test_set_overrides_fields_of_every_job(project: Project) -> None:
    jobs = [project.job("echo", name, params={"epochs": 300}) for name in ("one", "two")]

    project.good("submit", *jobs, "--set", "params.epochs=5", "--set", "repeats=2")

    runs = project.status()["runs"]
    assert [run["job"] for run in runs] == ["one", "one", "two", "two"]
    assert {run["params"]["epochs"] for run in runs} == {5}


def test_slots_let_runs_run_at_the_same_time(project: Project) -> None:
    job = project.job(WAIT_FOR_ALL.replace("{n}", "3"), repeats=3)

    done = project.launcher("submit", job, "--slots", "3")

    assert done.code == 0, done


def test_slots_may_be_a_setting(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text("[tool.launcher]\nslots = 2\n")
    job = project.job(WAIT_FOR_ALL.replace("{n}", "2"), repeats=2)

    assert project.launcher("submit", job).code == 0


def test_without_slots_runs_run_one_after_another(project: Project) -> None:
    job = project.job('mkdir "$SHARED/lock" && sleep 0.2 && rmdir "$SHARED/lock"', repeats=3)

    assert project.launcher("submit", job).code == 0


@pytest.mark.parametrize(("words", "lines"), [([], 1), (["--cpu"], 0)])
def test_a_gpu_that_is_not_there_is_one_line_of_warning(
    project: Project, words: list[str], lines: int
) -> None:
    jobs = [project.job(name=name, needs={"gpus": 1}) for name in ("one", "two")]

    done = project.launcher("submit", *jobs, *words)

    assert done.code == 0
    assert sum("GPU" in line for line in done.err.splitlines()) == lines


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("a file", {"files": {"data.txt": "other\n"}}),
    ("a new file", {"files": {"data.txt": "data\n", "more.txt": ""}}),
    ("a parameter", {"params": {"a": 2}}),
    ("a variable", {"env": {"A": "2"}}),
    ("the seed", {"seed": 8}),
    ("the command", {"run": "true other"}),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[what for what, _ in CHANGES])
def test_needed_runs_what_has_changed(project: Project, what: str, change: dict[str, Any]) -> None:
    del what
    given: dict[str, Any] = {"params": {"a": 1}, "env": {"A": "1"}, "seed": 7}
    project.good("submit", project.job(**given))
    job = project.job(**{**given, **change})

    done = project.launcher("submit", job, "--needed")

    assert done.code == 0
    assert len(project.batches()) == 2
    assert project.states() == ["succeeded"]


def test_needed_leaves_out_what_succeeded_and_is_offered(project: Project) -> None:
    job = project.job("test {a} != 2", grid={"a": [1, 2]}, repeats=1, seed=7)
    assert project.launcher("submit", job).code == 1

    offered = project.launcher("plan", job)
    plan = json.loads(project.good("plan", job, "--needed", "--json"))
    done = project.launcher("submit", job, "--needed")

    assert offered.code == 0
    assert [run["variant"] for run in plan["runs"]] == [1]
    assert [run["run"] for run in plan["skipped"]] == [run["id"] for run in plan["skipped"]]
    assert "1 more succeeded before" in done.err
    assert project.states() == ["failed"]


def test_that_runs_succeeded_before_is_said_unasked(project: Project) -> None:
    job = project.job(seed=7)
    project.good("submit", job)

    plan = project.good("plan", job)
    done = project.launcher("submit", job)

    said = "1 of them succeeded before, unchanged: --needed leaves them out"
    assert said in done.err
    assert f"note: {said}" in plan


def test_what_is_taken_and_what_is_not_is_said(project: Project) -> None:
    job = project.job(files={"a.txt": "123", "b.log": "no", ".gitignore": "*.log"})

    done = project.launcher("submit", job)

    assert "job takes 2 files, 8 bytes" in done.err
    assert "job goes without b.log (.gitignore" in done.err


def test_a_wrong_command_is_told_with_where_it_stands(project: Project) -> None:
    job = project.job("python train.py {nmae}", params={"name": "x"})
    line = next(
        n for n, text in enumerate((project.folder / job).read_text().splitlines(), 1) if "run" in text
    )

    in_file = project.launcher("plan", job)
    by_flag = project.launcher("plan", job, "--set", "run=python train.py {fold}")

    assert (in_file.code, by_flag.code) == (2, 2)
    assert f"{job}:{line}: run names {{nmae}}" in in_file.err
    assert "--set run=python train.py {fold}: run names {fold}" in by_flag.err


def test_needed_with_nothing_to_do_writes_nothing(project: Project) -> None:
    job = project.job(seed=7)
    project.good("submit", job)

    done = project.launcher("submit", job, "--needed", "--detach")

    assert (done.code, done.out) == (0, "")
    assert "Nothing to do" in done.err
    assert len(project.batches()) == 1


def test_editing_files_afterwards_changes_nothing_that_is_queued(project: Project) -> None:
    job = project.job(
        'while ! test -e "$SHARED/go"; do sleep 0.05; done; cat data.txt',
        files={"data.txt": "before"},
        repeats=2,
    )
    project.submit(job)
    (project.folder / "job" / "data.txt").write_text("after")
    (project.shared / "go").touch()

    project.good("attach")

    assert project.good("logs", "job-0001") == "before"


def test_two_submits_at_once_give_two_batches_that_run_one_after_the_other(project: Project) -> None:
    job = project.job('mkdir "$SHARED/lock" && sleep 0.3 && rmdir "$SHARED/lock"')

    both = [project.start("submit", job) for _ in range(2)]

    assert [each.wait(60) for each in both] == [0, 0]
    assert len(project.batches()) == 2


def test_kill_9_of_submit_ends_nothing(project: Project) -> None:
    job = project.job('touch "$SHARED/started"; sleep 1; touch "$SHARED/ended"')
    submit = project.start("submit", job)
    project.wait_for_shared("started")

    submit.kill()

    project.wait_for_shared("ended")
    project.wait_for_states("succeeded")


def test_the_home_is_made_beside_the_git_folder_and_hides_itself(project: Project, tmp_path: Path) -> None:
    (project.folder / ".git").mkdir()
    job = project.folder / "deep" / "er"
    job.mkdir(parents=True)
    (job / "job.yaml").write_text(json.dumps({"run": "true", "needs": {"gpus": 0}}))

    project.good("submit", "deep/er/job.yaml")

    assert (project.home / ".gitignore").read_text() == "*\n"
    assert not (tmp_path / ".launcher").exists()


def test_a_batch_is_found_from_any_folder_below(project: Project) -> None:
    project.good("submit", project.job())

    assert "succeeded" in project.good("status", cwd=project.folder / "job")
