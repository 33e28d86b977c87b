"""The command line as a whole: help, README, what is imported, completion in real shells, errors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launcher.cli.group import COMMANDS
from tests.cli.kit import Done, Project

if TYPE_CHECKING:
    from collections.abc import Sequence

README = Path(__file__).parents[2] / "README.md"
HEAVY = "boto3 paramiko pydantic numpy keras rich yaml".split()  # noqa: SIM905


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(project: Project, command: str) -> None:
    page = project.good(command, "--help")

    assert "Example" in page
    assert f"launcher {command}" in page.split("Example")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_told_in_one_line_by_the_group_too(project: Project, command: str) -> None:
    page = " ".join(project.good("--help").split())

    assert f"{command} {COMMANDS[command].help}" in page
    assert COMMANDS[command].help in " ".join(project.good(command, "--help").split()) or command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"`(launcher )?{command}\b|launcher {command}\b", README.read_text(encoding="utf-8"))


def test_the_job_file_of_the_readme_is_a_job(project: Project) -> None:
    text = re.search(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    (project.folder / "sonar").mkdir()
    (project.folder / "sonar" / "train.py").write_text("pass\n")
    (project.folder / "sonar" / "requirements.txt").touch()
    (project.folder / "requirements.txt").touch()
    (project.folder / "sonar-dropout.yaml").write_text(text[1])
    other = project.job(name="other-job", limits={"batch": "9h"})

    plan = json.loads(project.good("plan", other, "sonar-dropout.yaml", "--json"))

    assert [job["name"] for job in plan["jobs"]] == ["other-job", "sonar-dropout"]


def test_help_imports_nothing_heavy(project: Project) -> None:
    code = "import sys; from launcher.cli import cli; cli.main(['-h'], standalone_mode=False)"

    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=project.environ,
    )

    assert set(HEAVY) & set(done.stdout.split("\n")[-2].split()) == set()


def test_the_version_is_told(project: Project) -> None:
    assert re.fullmatch(r"launcher, version \d+\.\d+\.\d+\n", project.good("--version"))


def test_the_schema_is_json_and_knows_the_fields(project: Project) -> None:
    schema = json.loads(project.good("schema"))

    assert "2020-12" in schema["$schema"]
    assert {"run", "grid", "repeats", "limits"} <= set(schema["properties"])


# Errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submitt"], "Did you mean submit?"),
        (["frobnicate"], "See launcher --help."),
        (["status", "--jsno"], "--json"),
        (["status", "a", "b"], "b"),
        (["completion", "csh"], "csh"),
    ],
)
def test_wrong_use_is_told_with_the_right_one(project: Project, words: list[str], said: str) -> None:
    done = project.launcher(*words)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.parametrize("words", [(), ("ami",)])
def test_no_command_at_all_is_answered_with_what_there_is(project: Project, words: tuple[str, ...]) -> None:
    done = project.launcher(*words)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: launcher")


def broken(project: Project, sabotage: str, *words: str) -> Done:
    """Run the command line with something in it broken."""
    code = f"import sys; {sabotage}; sys.argv[1:] = {list(words)}; from launcher.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.folder,
        env={**project.environ, "TMPDIR": str(project.shared)},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_bug_is_one_line_and_a_file(project: Project) -> None:
    sabotage = "import launcher.spec.schema as s; s.job_schema = lambda: 1 / 0"

    done = broken(project, sabotage, "schema")

    [file] = project.shared.glob("launcher-bug-*.txt")
    assert (done.code, done.out) == (70, "")
    assert len(done.err.splitlines()) == 1
    assert "ZeroDivisionError" in done.err
    assert str(file) in done.err
    assert "in command" in file.read_text()


def test_an_operating_system_error_with_no_file_is_a_bug_too(project: Project) -> None:
    sabotage = (
        "import launcher.spec.schema as s; s.job_schema = lambda: (_ for _ in ()).throw(OSError(22, 'x'))"
    )

    assert broken(project, sabotage, "schema").code == 70


def test_what_the_computer_refuses_is_no_bug(project: Project) -> None:
    project.job()
    (project.folder / ".launcher").mkdir()
    (project.folder / ".launcher" / "batches").write_text("no folder")

    done = project.launcher("submit", "job.yaml")

    assert (done.code, done.out) == (2, "")
    assert "batches: " in done.err
    assert len(done.err.splitlines()) <= 5


def test_control_codes_in_names_do_not_reach_the_terminal(project: Project) -> None:
    done = project.launcher("plan", "\x1b[31mno.yaml")

    assert done.code == 2
    assert "\x1b" not in done.err


def test_a_terminal_that_knows_few_letters_is_no_error(project: Project) -> None:
    project.good("submit", project.job())

    assert "succeeded" in project.good("status", env={"PYTHONIOENCODING": "ascii:strict"})


# Completion

BASH = """
eval "$(launcher completion bash)"
COMP_WORDS=(launcher {words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_launcher_completion launcher; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
eval "$(launcher completion zsh)"
compadd() {{ print -l -- "${{(@P)@[-1]}}" }}
_describe() {{ print -l -- "${{(@P)3}}" }}
words=(launcher {words}); CURRENT=${{#words}}
_launcher_completion
"""
FISH = """
launcher completion fish | source
complete --do-complete "launcher {line}"
"""


def complete(project: Project, shell: str, line: str) -> list[str]:
    """Return what a real shell offers for a line that is typed so far."""
    words = " ".join(word or "''" for word in line.split(" "))
    script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(words=words, line=line)
    options: Sequence[str] = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *options, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.folder,
        env=project.environ,
        timeout=60,
    )
    assert done.stderr == ""
    return [re.split(r"[:\t]", found)[0] for found in done.stdout.splitlines() if found.strip()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_batches_and_runs(project: Project, shell: str) -> None:
    project.good("submit", project.job(repeats=2))
    batch = project.batches()[0].name
    runs = [run["id"] for run in project.status()["runs"]]

    assert set(complete(project, shell, "st")) == {"status", "stop"}
    assert "--needed" in complete(project, shell, "submit --ne")
    assert complete(project, shell, "status 2") == [batch]
    assert complete(project, shell, "logs job-") == runs
    assert complete(project, shell, f"logs {batch}/job-0001") == [f"{batch}/{runs[1]}"]
    assert set(complete(project, shell, "stop ")) >= {batch, *runs}


@pytest.mark.parametrize("line", ["logs j", "status 2", "stop x"])
def test_completion_where_there_is_nothing_offers_nothing(project: Project, line: str) -> None:
    assert complete(project, "bash", line) == []

    project.home.mkdir()

    assert complete(project, "bash", line) == []


def test_completion_is_typed_at_a_real_prompt(project: Project) -> None:
    with project.terminal("zsh", "-f", "-i", env={"PS1": "ready> "}) as terminal:
        terminal.read_until("ready> ")
        terminal.type("eval \"$(launcher completion zsh)\"; echo s''et\n")
        terminal.read_until("set\r\n")
        terminal.type("launcher stat\t--he\t\n")
        terminal.read_until("Show a batch (by default the newest)")
        terminal.type("exit\n")
        terminal.wait()
