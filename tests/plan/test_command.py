"""A run's argv: what is inserted where, and that a value is always data."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.plan import render_command

if TYPE_CHECKING:
    from collections.abc import Sequence

PARAMS = {"lr": 0.001, "name": "a b", "on": True, "off": False, "none": None, "sizes": [1, "x y"], "n": 3}
HOSTILE = [
    "a'; echo b",
    "line\nbreak",
    "-rf",
    "n" * 200,
    "\N{OTTER}",
    "",
    " ",
    '"',
    "\\",
    "$(id)",
    "`id`",
    "{lr}",
    "#",
]


def render(run: str | Sequence[str], **given: Any) -> tuple[str, ...]:
    return render_command(run, **{"params": PARAMS, "seed": 7, "fold": None, "folds": None, **given})


def run_shell(argv: Sequence[str]) -> list[str]:
    """Run an argv whose program prints its arguments with zero bytes between them."""
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    return [word.decode("utf-8", "surrogateescape") for word in done.stdout.split(b"\0")[:-1]]


SHELL_TEXTS = {
    "{lr}": "0.001",
    "t --name={name}": "t --name='a b'",
    "t {on} {off} {sizes}": """t true false '[1, "x y"]'""",
    "t {none}{lr}": "t 0.001",
    "t {n} --seed {seed}": "t 3 --seed 7",
    "t {n} {{x}} {{n}}": "t 3 {x} {n}",
    "t {n} ${{HOME}}": "t 3 ${HOME}",
    "t {n} {} { n } {1..3} {a,b} {print $1} }{": "t 3 {} { n } {1..3} {a,b} {print $1} }{",
    't {n} \'{"a":{"b":1}}\'': 't 3 \'{"a":{"b":1}}\'',
    't "{name}!" {n}': """t "\"'a b'\"!" 3""",
    "t 'x{name}' {n}": "t 'x''a b''' 3",
    """t "it's {n}" {name}""": """t "it's "3"" 'a b\'""",
    't "$(cat {name})"': """t "$(cat 'a b')\"""",
    "(cd x; t {name})": "(cd x; t 'a b')",
    't "(" {name}': """t "(" 'a b'""",
    "t \\' {name}": "t \\' 'a b'",
    "# it's a comment\nt {name}": "# it's a comment\nt 'a b'",
    "t a#b {name}": "t a#b 'a b'",
    """t "#'" {name}""": """t "#'" 'a b\'""",
    "t '#\"' {name}": "t '#\"' 'a b'",
}


@pytest.mark.parametrize(("run", "expected"), SHELL_TEXTS.items(), ids=SHELL_TEXTS)
def test_shell_text_gets_quoted_values(run: str, expected: str) -> None:
    assert render(run) == ("/bin/sh", "-c", expected)


def test_all_parameters_are_options_with_lists_as_json_and_null_left_out() -> None:
    options = ("--lr=0.001", "--name=a b", "--on=true", "--off=false", '--sizes=[1, "x y"]', "--n=3")

    assert render(("t", "{params}", "x")) == ("t", *options, "x")
    assert (
        render("t {params} x")[2]
        == """t --lr=0.001 '--name=a b' --on=true --off=false '--sizes=[1, "x y"]' --n=3 x"""
    )


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("t", "t --n=3"),
        ("t\n", "t --n=3"),
        ("cd x\nt \n\n", "cd x\nt --n=3"),
        ("t --s={seed}", "t --s=7 --n=3"),
        ("t {fold} {folds}", "t 0 2 --n=3 --fold=0 --folds=2"),
        ("t {params}", "t --n=3"),
        ("t {n}", "t 3"),
        (("t",), ("t", "--n=3")),
        (("t", "{seed}"), ("t", "7", "--n=3")),
        (("t", "-n{n}"), ("t", "-n3")),
        (("t", "{{n}}"), ("t", "{n}", "--n=3")),
    ],
    ids=str,
)
def test_parameters_are_appended_unless_run_names_one(run: str | tuple[str, ...], expected: object) -> None:
    folds = {"fold": 0, "folds": 2} if "{fold}" in run else {}

    argv = render(run, params={"n": 3}, **folds)

    assert argv == (expected if isinstance(expected, tuple) else ("/bin/sh", "-c", expected))


def test_a_job_with_no_parameters_is_run_as_it_is_written() -> None:
    assert render("t \n", params={}) == ("/bin/sh", "-c", "t \n")
    assert render("", params={"n": 1}) == ("/bin/sh", "-c", " --n=1")
    assert render(("t",), params={}) == ("t",)
    assert render("t {params}", params={}) == ("/bin/sh", "-c", "t ")


def test_the_fold_is_a_parameter_too() -> None:
    assert render(("t",), params={}, fold=2, folds=5) == ("t", "--fold=2", "--folds=5")


def test_a_parameter_named_seed_is_the_parameter() -> None:
    assert render(("t", "{seed}"), params={"seed": 99}) == ("t", "99")


def test_a_word_of_an_argv_that_is_null_is_left_out() -> None:
    assert render(("t", "{none}", "a{none}b", "{n}")) == ("t", "ab", "3")


REFUSED: dict[str, tuple[str | tuple[str, ...], str, str]] = {
    "unknown": ("t {nam}", "run names {nam}, which is no parameter of the job.", "Did you mean {name}?"),
    "nothing like it": ("t ${HOME}", "run names {HOME}", "For a plain brace write {{HOME}}."),
    "unknown in an argv": (("t", "x{nam}"), "run names {nam}", "Did you mean {name}?"),
    "no folds": ("t {fold}", "run names {fold}, but the job has no folds.", "Write folds: 10"),
    "backquotes": ("t `echo {n}`", "run has {n} in backquotes.", "Write $(...)"),
    "backquotes in quotes": ('t "`echo {n}`"', "run has {n} in backquotes.", "Write $(...)"),
    "a backslash": ("t \\{n}", "run has {n} behind a backslash.", "Take the backslash away"),
    "a comment": ("t # {n}\n", "run has {n} in a comment", "Name {params}"),
    "ends in a comment": ("t # train", "run has {params} in a comment, or at its end.", "Name {params}"),
    "ends with a line to come": ("t \\\n", "run has {params} behind a backslash.", "Take the backslash away"),
    "an open quote": ('t "a', 'run leaves a quote open: "', "Close it."),
    "ends with &": ("t &\n", "run ends with &, where no parameters can be added.", "Name {params}"),
    "all in quotes": ("sh -c 't {params}'", "run has {params} in quotes", "Take the quotes away."),
    "here-document": ("cat <<E\n{n}\nE", "run has {n} behind a here-document", "Put that text into a file"),
    "a quote in a here-document": (
        "cat <<E\nit's\nE\n",
        "run has {params} behind a here-document",
        "Put that text",
    ),
    "behind a here-document": ("cat <<E\nx\nE\n", "run has {params} behind a here-document", "Put that text"),
    "all within a word": (
        ("t", "x{params}"),
        "run has {params} within a word of a list.",
        "a word of its own",
    ),
}


@pytest.mark.parametrize(("run", "what", "todo"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_inserted_as_meant_is_refused(run: str, what: str, todo: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(run)

    assert what in caught.value.what
    assert todo in caught.value.todo


def test_a_job_without_a_seed_cannot_name_it() -> None:
    with pytest.raises(UsageError, match="seed: none"):
        render("t {seed}", seed=None)


@pytest.mark.parametrize(
    ("value", "what"),
    [("a\0b", "a zero byte"), ("\ud800", "half a character"), ("x" * 131_072, "131,072 bytes")],
)
def test_what_no_process_can_be_given_is_refused(value: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        render(("t", "{x}"), params={"x": value})


def test_the_longest_argument_that_is_let_through_can_be_given() -> None:
    argv = render(("printf", "%s\\0", "{x}"), params={"x": "x" * (128 * 1024 - 1)})

    assert len(run_shell(argv)[0]) == 128 * 1024 - 1


TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.text("'\"\\ $`#\n!*;&|(){}-=", max_size=8),
    st.binary(max_size=6)
    .filter(lambda raw: 0 not in raw)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers()),
)


def as_text(value: object) -> str:
    return (
        value
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else json.dumps(value)
    )


@given(a=TEXTS, b=VALUES)
def test_the_shell_hands_over_every_value_as_it_is(a: str, b: Any) -> None:
    run = """printf '%s\\0' {a} --b={b} x{a}{b}y "{a} and 'two'" '{a}"' "$(printf %s. {a})" {params}"""
    other = as_text(b)

    found = run_shell(render(run, params={"a": a, "b": b}))

    single = [a, f"--b={other}", f"x{a}{other}y", f"{a} and 'two'", f'{a}"', f"{a}."]
    assert found == [*single, f"--a={a}", f"--b={other}"]


@given(a=TEXTS, b=VALUES)
def test_an_argv_hands_over_every_value_as_it_is(a: str, b: Any) -> None:
    found = run_shell(render(("printf", "%s\\0", "{a}", "-{a}{b}", "{params}"), params={"a": a, "b": b}))

    assert found == [a, f"-{a}{as_text(b)}", f"--a={a}", f"--b={as_text(b)}"]
