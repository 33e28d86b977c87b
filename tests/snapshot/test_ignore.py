"""Ignore files are read as git reads them; git is asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.snapshot import LeftOut, scan
from tests.snapshot.oracle import files_git_takes, make_repository

NAMES = [
    *(b"a", b"b", b"ab", b"a.c", b"foo", b"bar", b"-x", b"1", b"A", b"\xc3\xa9", b"\xff"),
    *(b"a b", b" a", b"a ", b"a\t", b"x\r", b"a\nb", b"!x", b"#x", b"[a]", b"a]", b"*", b"\\", b"a\\b"),
]
PIECES = [
    *(b"a", b"b", b"foo", b"bar", b"x", b"1", b".", b".c", b"-", b"\xff", b"\xc3\xa9"),
    *(b"/", b"/", b"/", b"*", b"*", b"**/", b"/**", b"/**/", b"?", b" ", b"\\ ", b"\t", b"\r"),
    *(b"!", b"#", b"\\!", b"\\#", b"\\*", b"\\", b"[", b"]"),
    *(b"[ab]", b"[!a]", b"[^a-b]", b"[]a]", b"[a-z]", b"[\\]a]", b"[a\\-z]", b"[*-\\]]", b"[b-a]", b"[a-"),
    *(
        b"[[:alpha:]]",
        b"[[:digit:]b]",
        b"[[:space:]]",
        b"[[:nonsense:]]",
        b"[[:a]",
        b"[[:]",
        b"[[:a",
        b"[a\\",
    ),
]
LINES = st.builds(
    lambda sign, root, pieces, end: sign + root + b"".join(pieces) + end,
    st.sampled_from([b"", b"", b"", b"!"]),
    st.sampled_from([b"", b"", b"", b"/"]),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4),
    st.sampled_from([b"", b"", b"", b"/"]),
)
IGNORE_FILES = st.builds(
    lambda mark, lines, newline: mark + newline.join(lines),
    st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"]),
    st.lists(LINES, min_size=1, max_size=4),
    st.sampled_from([b"\n", b"\n", b"\r\n"]),
)
PATHS = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(b"/".join), min_size=10, max_size=25
)

TABLE: dict[str, tuple[str, list[str]]] = {
    "negation": ("*.log\n!keep.log", ["x.log", "keep.log", "sub/keep.log"]),
    "negation cannot enter a left out folder": ("data/\n!data/keep.csv", ["data/keep.csv", "data/x.csv"]),
    "negation inside a folder kept open": ("data/*\n!data/keep.csv", ["data/keep.csv", "data/x.csv"]),
    "only folders": ("build/", ["build/x", "sub/build/y", "other/build"]),
    "anchored": ("/x.csv\nsub/y.csv", ["x.csv", "sub/x.csv", "sub/y.csv", "sub/sub/y.csv"]),
    "two stars in front": ("**/cache", ["cache", "a/cache/x", "a/b/cache"]),
    "two stars between": ("a/**/z", ["a/z", "a/b/z", "a/b/c/z", "b/a/z"]),
    "two stars at the end": ("a/**", ["a/x", "a/b/x", "b/a/x"]),
    "two stars behind a name": ("a**/z", ["a/z", "ab/z", "a/b/z"]),
    "one star stays in its folder": ("a/*.csv", ["a/x.csv", "a/b/x.csv"]),
    "everything but one": ("*\n!*/\n!*.py", ["a.py", "a.csv", "sub/b.py", "sub/b.csv"]),
    "escaped space at the end": ("a\\ \nb ", ["a ", "a", "b", "b "]),
    "two backslashes at the end": ("a\\\\ ", ["a\\", "a\\ "]),
    "carriage returns": ("*.log\r\n/x\r\n", ["a.log", "x", "y"]),
    "comment and escaped signs": ("#a\n\\#b\n\\!c", ["#a", "#b", "!c"]),
    "a zero byte ends the line": ("a\0b\nc", ["a", "a\0b".replace("\0", "_"), "c"]),
    "a slash alone": ("/\n//\n!/", ["a", "b/c"]),
    "brackets that hold nothing, or a slash": ("[b-a]\na[/]b\n[!xy]\n!ab", ["y", "b", "a/b", "x", "b-a"]),
    "only spaces": ("   \n\t", ["a", "   ", "\t"]),
}


def taken(folder: Path) -> set[str]:
    return {entry.path for entry in scan(folder).entries if entry.kind != "dir"}


@pytest.mark.parametrize(("rules", "names"), TABLE.values(), ids=TABLE)
def test_takes_what_git_takes(tmp_path: Path, rules: str, names: list[str]) -> None:
    files = dict.fromkeys(map(os.fsencode, names), b"")
    make_repository(tmp_path / "job", {**files, b".gitignore": rules.encode()})

    assert taken(tmp_path / "job") == files_git_takes(tmp_path / "job")


@settings(max_examples=60, deadline=None)
@given(paths=PATHS, outer=IGNORE_FILES, inner=IGNORE_FILES, choice=st.integers(0, 100))
def test_takes_what_git_takes_whatever_the_rules(
    paths: list[bytes], outer: bytes, inner: bytes, choice: int
) -> None:
    folders = sorted(
        {path.rsplit(b"/", count)[0] for path in paths for count in range(1, path.count(b"/") + 1)}
    )
    files = {path: b"" for path in paths if path not in folders} | {b".gitignore": outer}
    if folders:
        files[folders[choice % len(folders)] + b"/.gitignore"] = inner
    root = Path(tempfile.mkdtemp())
    try:
        make_repository(root, files)
        expected = files_git_takes(root)

        found = taken_or_none(root)
    finally:
        shutil.rmtree(root)

    assert found == expected


def taken_or_none(folder: Path) -> set[str]:
    try:
        return taken(folder)
    except UsageError:  # nothing at all is left
        return set()


def test_rules_above_the_job_folder_count_up_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("train.py")
    repository = tmp_path / "repository"
    files = {
        b".gitignore": b"*.log\n/jobs/mnist/old\n",
        b"jobs/.gitignore": b"!keep.log\n",
        b"jobs/mnist/train.py": b"",
        b"jobs/mnist/x.log": b"",
        b"jobs/mnist/keep.log": b"",
        b"jobs/mnist/old/y": b"",
    }
    make_repository(repository, files)

    found = taken(repository / "jobs" / "mnist")

    assert found == {"train.py", "keep.log"}
    assert {f"jobs/mnist/{path}" for path in found} == files_git_takes(repository, below="jobs/mnist")


def test_rules_above_do_not_count_without_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*")
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "train.py").touch()

    assert taken(tmp_path / "job") == {"train.py"}


def test_a_launcherignore_outranks_every_gitignore(tmp_path: Path) -> None:
    make_repository(
        tmp_path / "job",
        {
            b".gitignore": b"data/\n",
            b".launcherignore": b"!data/\n!*.csv\nnotes.md\n",
            b"data/.gitignore": b"*\n",
            b"data/x.csv": b"",
            b"data/x.bin": b"",
            b"notes.md": b"",
        },
    )

    tree = scan(tmp_path / "job")

    assert {entry.path for entry in tree.entries} == {".gitignore", ".launcherignore", "data", "data/x.csv"}
    assert LeftOut("notes.md", ".launcherignore: notes.md") in tree.left_out
    assert LeftOut("data/x.bin", "data/.gitignore: *") in tree.left_out


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("rules"), Path.mkdir], ids=["link", "folder"])
def test_an_ignore_file_that_is_no_file_says_nothing(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    make_repository(tmp_path / "job", {b"rules": b"*.csv", b"x.csv": b""})
    make(tmp_path / "job" / ".gitignore")

    assert "x.csv" in taken(tmp_path / "job")


def test_a_link_to_a_folder_is_no_folder_to_a_rule(tmp_path: Path) -> None:
    make_repository(tmp_path / "job", {b"data/x": b"", b".gitignore": b"link/\n"})
    (tmp_path / "job" / "link").symlink_to("data")

    assert taken(tmp_path / "job") == files_git_takes(tmp_path / "job") == {".gitignore", "data/x", "link"}


def test_what_git_tracks_is_left_out_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "x.log").touch()
    (tmp_path / ".gitignore").write_text("*.log")
    (tmp_path / ".git").mkdir()

    assert taken(tmp_path) == {".gitignore", "train.py"}
