"""What is no YAML, or more than a job file needs, is one clear error; the rest is YAML 1.2."""

# ruff: noqa: E501 - a case is a line

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from launcher.errors import UsageError
from tests.spec.kit import RUN, load, refused, refused_batch

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = ("job.yaml: the file is empty.", "Write at least run: python train.py.")
ONE = "Write one job a file, at least run: python train.py."
NO_MAP = "not keys with values."
SPACES = "Use spaces: YAML takes no tabs outside of quotes."
NOT_UTF_8 = "Save the file as UTF-8."
QUOTES = "Close the quote; between double quotes write two backslashes for one."
QUOTE = "a quote that opens here is never closed, or a backslash in it means nothing."
COLON = "no colon is expected here: it is the second in its line, or the line is indented too far."
COLUMNS = 'Put a text that holds ": " in quotes, and begin keys of one level in one column.'
BRACKET = "a bracket is not closed, or a comma is missing."
BRACKETS = "Write [1, 2] or {a: 1, b: 2}."
CHARACTER = "the text holds a character that no program takes"
TOO_MANY = "the aliases (*) grow without bound."
OUT = "Write the values out."
TAGS = "Remove it; write plain values."

LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)

BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    "empty": ("", *EMPTY),
    "only comments": ("# a\n\n# b\n", *EMPTY),
    "only a marker": ("---\n", *EMPTY),
    "null": ("null\n", *EMPTY),
    "a list": ("# a\n- a\n", f"job.yaml:2: found a list, {NO_MAP}", ONE),
    "a scalar": ("hello\n", f"job.yaml:1: found a single value, {NO_MAP}", ONE),
    "two documents": (f"{RUN}---\n{RUN}", "job.yaml:2: a second document (---) begins.", "Write one job a file."),
    "a key twice": (f"{RUN}seed: 1\nseed: 1\n", "job.yaml:3: seed stands here a second time, after job.yaml:2.", "Remove one."),
    "a nested key twice": (f"{RUN}params:\n  a: 1\n  a: 2\n", "job.yaml:4: params.a stands here a second time, after job.yaml:3.", "Remove one."),
    "a tab": (f"{RUN}params:\n\ta: 1\n", "job.yaml:3: a tab stands here.", SPACES),
    "a tab after a colon": (f"{RUN}seed:\t1\n", "job.yaml:2: a tab stands here.", SPACES),
    "aliases that explode": (f"{RUN}{LAUGHS}", f"job.yaml:2: a4: {TOO_MANY}", OUT),
    "an alias in itself": (f"{RUN}params: &a\n  b: *a\n", f"job.yaml:3: params: {TOO_MANY}", OUT),
    "a list in itself": (f"{RUN}params: {{b: &a [*a]}}\n", f"job.yaml:2: params: {TOO_MANY}", OUT),
    "deep": (f"{RUN}params: {'[' * 100_000}", "job.yaml:2: this is nested more than 50 levels deep.", "Write it flatter."),
    "latin-1": (b"run: a\nname: caf\xe9\n", "job.yaml:2: the text is not UTF-8.", NOT_UTF_8),
    "utf-16": (RUN.encode("utf-16"), "job.yaml:1: the text is not UTF-8.", NOT_UTF_8),
    "utf-16 without a mark": (RUN.encode("utf-16-le"), "job.yaml:1: YAML allows no character U+0000.", "Remove it."),
    "a zero": (f"{RUN}name: a\0b\n", "job.yaml:2: YAML allows no character U+0000.", "Remove it."),
    "a control character": (f"{RUN}name: \x1b[31m\n", "job.yaml:2: YAML allows no character U+001B.", "Remove it."),
    "no character": (f"{RUN}name: a\ufffe\n", "job.yaml:2: YAML allows no character U+FFFE.", "Remove it."),
    "a written zero": (f'{RUN}params: {{a: "\\0"}}\n', f"job.yaml:2: params.a: {CHARACTER} (U+0000).", "Remove it."),
    "a zero in run": ('run: "a\\0b"\n', f"job.yaml:1: run: {CHARACTER} (U+0000).", "Remove it."),
    "half a character": (f'{RUN}env: {{A: "\\ud800"}}\n', f"job.yaml:2: env.A: {CHARACTER} (U+D800).", "Remove it."),
    "half a character as key": (f'{RUN}params: {{a: {{"\\ud800": 1}}}}\n', f"job.yaml:2: {CHARACTER} (U+D800).", "Remove it."),
    "a number beyond Unicode": (f'{RUN}name: "\\UFFFFFFFF"\n', "job.yaml:2: no character or version has this number.", "Write the character itself."),
    "a version beyond numbers": (f"%YAML {'9' * 5000}.1\n---\n{RUN}", "job.yaml:1: no character or version has this number.", "Write the character itself."),
    "a number key": (f"{RUN}params: {{1: 2}}\n", "job.yaml:2: the key 1 is not a word.", 'Write it in quotes: "1".'),
    "a null key": (f"{RUN}params: {{~: 2}}\n", "job.yaml:2: the key ~ is not a word.", 'Write it in quotes: "~".'),
    "no key": (f"{RUN}?\n: 2\n", "job.yaml:2: the key before the colon is not a word.", 'Write it in quotes: "".'),
    "a boolean key": (f"{RUN}params: {{true: 2}}\n", "job.yaml:2: the key true is not a word.", 'Write it in quotes: "true".'),
    "a list key": (f"{RUN}params: {{[a]: 2}}\n", "job.yaml:2: a key is a list or mapping.", "Write a word before the colon."),
    "a merge key": (f"a: &a {{b: 1}}\n{RUN}params: {{<<: *a}}\n", "job.yaml:3: merge keys (<<) are not read.", "Write the keys out."),
    "a Python tag": (f"{RUN}params: {{a: !!python/name:os.system x}}\n", "job.yaml:2: params.a: the tag !!python/name:os.system is not read here.", TAGS),
    "a tag of one's own": (f"{RUN}params: {{a: !x y}}\n", "job.yaml:2: params.a: the tag !x is not read here.", TAGS),
    "a wrong int": (f"{RUN}params: {{a: !!int x}}\n", "job.yaml:2: params.a: the tag !!int is not read here.", TAGS),
    "a wrong float": (f"{RUN}params: {{a: !!float x}}\n", "job.yaml:2: params.a: the tag !!float is not read here.", TAGS),
    "a set": (f"{RUN}params: !!set {{a}}\n", "job.yaml:2: params: the tag !!set is not read here.", TAGS),
    "an ordered map": (f"{RUN}params: {{a: !!omap [b: 1]}}\n", "job.yaml:2: params.a: the tag !!omap is not read here.", TAGS),
    "a date with its tag": (f"{RUN}params: {{a: !!timestamp 2026-11-21}}\n", "job.yaml:2: params.a: the tag !!timestamp is not read here.", TAGS),
    "a second colon": ("run: python t.py: x\n", f"job.yaml:1: {COLON}", COLUMNS),
    "an odd indent": (f"{RUN} name: x\n", f"job.yaml:2: {COLON}", COLUMNS),
    "a missing colon": (f"{RUN}name x\nseed: 1\n", "job.yaml:2: no colon follows the key.", 'Write key: value, with ": " between them.'),
    "an open quote": ("run: 'python\nname: a\n", f"job.yaml:1: {QUOTE}", QUOTES),
    "a wrong escape": ('run: "a\\q"\n', f"job.yaml:1: {QUOTE}", QUOTES),
    "an open bracket": (f"{RUN}params: {{a: 1\n\n\n", f"job.yaml:2: {BRACKET}", BRACKETS),
    "a missing comma": (f"{RUN}after: [a b: c d: e]\n", f"job.yaml:2: {BRACKET}", BRACKETS),
    "a wrong column": (f"{RUN}params:\n  a: 1\n b: 2\n", "job.yaml:4: the line does not begin in the column of its neighbours.", "Indent it like them."),
    "an unknown alias": ("run: *x\n", "job.yaml:1: the alias (*) names nothing above it.", "Put a text that begins with * in quotes."),
    "an anchor twice": ("run: &a x\nname: &a y\n", "job.yaml:2: an anchor (&) of this name stands above already.", "Give it another name."),
    "a wrong first character": ("run: @x\n", "job.yaml:1: no text can begin with this character.", "Put the text in quotes."),
    "an unknown version": (f"%YAML 2.0\n---\n{RUN}", "job.yaml:1: this is no YAML.", "Write key: value, and put a text with special characters in quotes."),
    "not a number": (f"{RUN}params: {{a: .nan}}\n", "job.yaml:2: params.a: .nan is not a finite number.", 'Write it in quotes: ".nan".'),
    "infinite": (f"{RUN}params: {{a: [-.inf]}}\n", "job.yaml:2: params.a: -.inf is not a finite number.", 'Write it in quotes: "-.inf".'),
    "too large": (f"{RUN}params: {{a: 1e999}}\n", "job.yaml:2: params.a: 1e999 is not a finite number.", 'Write it in quotes: "1e999".'),
    "too long": (f"{RUN}params: {{a: {'9' * 5000}}}\n", f"job.yaml:2: params.a: {'9' * 60}... is too long a number.", "Write it in quotes."),
    "too long in hexadecimal": (f"{RUN}params: {{a: 0x{'F' * 5000}}}\n", f"job.yaml:2: params.a: 0x{'F' * 58}... is too long a number.", "Write it in quotes."),
    "over a megabyte": ("#" * 1_000_001, "job.yaml: the file is larger than 1 MB.", "Name a job file."),
    "too many values": (f"{RUN}params: {{a: [{'1,' * 100_000}]}}\n", "job.yaml:2: there are more than 100,000 values.", "Name a job file."),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_one_clear_error(tmp_path: Path, case: str) -> None:
    text, what, todo = BROKEN[case]

    assert refused(tmp_path, text) == (what, todo)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 999_000,
        "? " * 499_000,
        "{" + "?," * 499_000 + "}",
        "---\n" * 249_000,
        "".join(f"k{i}: &a{i} 1\n" for i in range(55_000)),
        "x: &a [" + "1," * 99_000 + "]\ny: *a\nz: *a\n",
    ],
    ids=["brackets", "questions", "empty keys", "documents", "anchors", "long alias"],
)
def test_no_file_takes_long_to_refuse(tmp_path: Path, text: str) -> None:
    began = time.process_time()
    refused(tmp_path, text)

    assert time.process_time() - began < 60  # some seconds; what is not bounded takes hours or the memory


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("no", "No", "NO", "off", "on", "yes", "y", "n", "none", "nULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[("12", 12), ("-1", -1), ("+1", 1), ("010", 10), ("0o17", 15), ("0x1F", 31), ("9" * 20, int("9" * 20))],
        *[("1e-3", 0.001), ("1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-1.5E+2", -150.0), ("1.10", 1.1)],
        *[(t, t) for t in ("1_000", "12:30", "2026-11-21", "2026-11-21T02:13:00Z", "0b1", "0O7", "-0x1", "1.2.3")],
        *[(t, t) for t in ("=", "<<x", "e3", ".", "-x", "+", "1e", "0x", "inf", "nan", "NaN", "é", "🦦")],
        *[("'1'", "1"), ('"a\\tb"', "a\tb"), ("!!str 1", "1"), ("!!int '1'", 1), ("!!float 1.5", 1.5)],
        *[("[1, [a, {b: c}]]", [1, ["a", {"b": "c"}]]), ("{a: {}}", {"a": {}}), ("!!seq []", []), ("!!map {}", {})],
    ],
)  # fmt: skip
def test_values_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    found = load(tmp_path, f"{RUN}params:\n  a: {text}\n").params["a"]

    assert found == value
    assert type(found) is type(value)


def test_an_alias_repeats_a_value(tmp_path: Path) -> None:
    job = load(tmp_path, f"{RUN}params: {{a: &x [1, 2], b: *x}}\n")

    assert job.params["b"] == [1, 2]


def test_a_mistake_in_what_an_alias_repeats_is_told_where_it_is_repeated(tmp_path: Path) -> None:
    what, _ = refused(tmp_path, f"{RUN}params: {{a: &x yes}}\nstop_on_nan: *x\n")

    assert what == 'job.yaml:3: stop_on_nan: "yes" is not true or false.'


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfrun: a\n",
        b"run: a\r\nseed: 0\r\n",
        b"run: a",
        b"%YAML 1.2\n---\nrun: a\n...\n",
        b"{run: a}",
    ],
    ids=["byte order mark", "windows lines", "no last newline", "version", "flow"],
)
def test_yaml_may_be_written_in_many_ways(tmp_path: Path, text: bytes) -> None:
    assert load(tmp_path, text).run == "a"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    what, todo = refused_batch([tmp_path / "nowhere.yaml"])

    assert (what, todo) == (
        "nowhere.yaml: the file can't be read: No such file or directory.",
        "Name a job file.",
    )


def test_a_name_that_is_too_long_is_one_clear_error(tmp_path: Path) -> None:
    what, _ = refused_batch([tmp_path / ("x" * 300)])

    assert what.endswith("the file can't be read: File name too long.")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "job.yaml"
    path.mkdir() if kind == "folder" else os.mkfifo(path)

    assert refused_batch([path]) == ("job.yaml: this is not a file.", "Name a job file.")


def test_a_long_path_is_shown_whole(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()

    with pytest.raises(UsageError, match=f"^{folder}/job.yaml:2: seed: "):
        load(folder, f"{RUN}seed: x\n")


def test_a_hostile_path_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "a'; echo b\n\x1b[31m"
    folder.mkdir()

    what, _ = refused(folder, "- a\n")

    assert what.endswith("/a'; echo b\\n\\u001b[31m/job.yaml:1: found a list, not keys with values.")
