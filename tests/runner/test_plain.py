"""Which commands are plain."""

from __future__ import annotations

import pytest

from launcher.runner.plain import read_plain

QUOTED = """python\t train.py --a='x y'"'"'z' "b c" é \n"""
SHELL_SYNTAX = (
    "; a",
    "$A",
    "| b",
    "~",
    "*",
    "\n b",
    '"$A"',
    "#",
    "'",
    "a & b",
    ">x",
    "`a`",
    "\\a",
    "{a,b}",
    "[a]",
)


def in_shell(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["python", "train.py"], ("python", "train.py")),
        (["python3", "a/b.py", "x y", "$HOME"], ("python3", "a/b.py", "x y", "$HOME")),
        (in_shell(QUOTED), ("python", "train.py", "--a=x y'z", "b c", "é")),
    ],
)
def test_a_plain_command_is_python_a_script_and_words(argv: list[str], words: tuple[str, ...]) -> None:
    plain = read_plain(argv)

    assert plain is not None
    assert plain.words == words
    assert plain.is_shell == (argv[0] == "/bin/sh")
    assert plain.script == words[1]


@pytest.mark.parametrize(
    "argv",
    [
        ["python"],
        ["python", "-u", "train.py"],
        ["python", ""],
        ["python2", "train.py"],
        ["/bin/sh", "-c", "python train.py", "x"],
        in_shell("A=1 python train.py"),
        in_shell("python" + " a" * 5000 + "|"),
        *(in_shell(f"python train.py {text}") for text in SHELL_SYNTAX),
    ],
    ids=lambda argv: argv[-1][:30],
)
def test_a_command_is_not_plain_where_a_flag_or_a_shell_has_a_say(argv: list[str]) -> None:
    assert read_plain(argv) is None
