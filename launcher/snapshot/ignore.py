"""Ignore files: which rule, if any, leaves an entry of a folder out. Reads ignore files, nothing else.

The rules are git's. In each folder `.gitignore` and `.launcherignore` count, the nearer file before the
farther, the last line of a file before the first; a `.launcherignore`, wherever it stands, is asked before
any `.gitignore`, so `!data/` there brings back what git must not see and a run needs. Files above the job
folder count up to the root of its git repository. Only these files decide: that git tracks a file, or what
one user's own git settings ignore, is not asked, because a batch must not depend on them.
"""
# ruff: noqa: PTH118, PTH120, PTH123 - names are bytes here, and pathlib knows only text

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launcher.errors import UsageError
from launcher.snapshot.show import show
from launcher.snapshot.wildmatch import translate

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

FILES = (b".launcherignore", b".gitignore")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file."""

    line: str
    is_negated: bool
    only_folders: bool
    by_name: bool
    matcher: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rules of one ignore file; `base` is its folder, seen from the top, with a slash at its end."""

    name: str
    base: bytes
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Ignores:
    """All rules that hold in one folder. Paths are seen from the top: repository's root, else job folder."""

    launcher_files: tuple[RuleFile, ...] = ()
    git_files: tuple[RuleFile, ...] = ()

    def enter(self, folder: bytes, *, base: bytes) -> Ignores:
        """Return what holds in `folder`, whose path from the top is `base`."""
        launcher_file, git_file = (_read_file(folder, name, base=base) for name in FILES)
        if not launcher_file and not git_file:
            return self
        return replace(
            self,
            launcher_files=self.launcher_files + launcher_file,
            git_files=self.git_files + git_file,
        )

    def reason(self, path: bytes, *, is_folder: bool) -> str | None:
        """Say which line leaves `path` out; None where it is taken."""
        for files in (self.launcher_files, self.git_files):
            found = _last_match(files, path, is_folder=is_folder)
            if found is not None:
                file, rule = found
                return None if rule.is_negated else f"{file.name}: {rule.line}"
        return None


def find_ignores(folder: bytes) -> tuple[Ignores, bytes]:
    """Return the rules that hold in the job folder (absolute, no links), and its path seen from the top."""
    top = _repository_root(folder) or folder
    ignores = Ignores().enter(top, base=b"")
    at, base = top, b""
    for part in filter(None, folder[len(top) :].replace(os.sep.encode(), b"/").split(b"/")):
        at, base = os.path.join(at, part), base + part + b"/"
        ignores = ignores.enter(at, base=base)
    return ignores, base


def read_rules(text: bytes) -> tuple[Rule, ...]:
    """Read lines as git does: `#` is a comment only in the first column, spaces at the end do not count."""
    lines = text.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    return tuple(rule for line in lines if (rule := _read_rule(line.removesuffix(b"\r"))) is not None)


def _read_rule(line: bytes) -> Rule | None:
    if not line or line.startswith(b"#"):
        return None
    text = _without_spaces_at_the_end(line.split(b"\0")[0])
    pattern = text.removeprefix(b"!")
    only_folders = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    if not pattern:
        return None
    return Rule(
        line=show(text),
        is_negated=text.startswith(b"!"),
        only_folders=only_folders,
        by_name=b"/" not in pattern,
        matcher=translate(pattern.removeprefix(b"/")),
    )


def _without_spaces_at_the_end(line: bytes) -> bytes:
    """Cut spaces, not tabs; a space behind a backslash stays."""
    kept = line.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return line[: len(kept) + backslashes % 2]


def _last_match(files: Sequence[RuleFile], path: bytes, *, is_folder: bool) -> tuple[RuleFile, Rule] | None:
    name = path[path.rfind(b"/") + 1 :]
    for file in reversed(files):
        below = path[len(file.base) :]
        for rule in reversed(file.rules):
            if (is_folder or not rule.only_folders) and rule.matcher.fullmatch(
                name if rule.by_name else below
            ):
                return file, rule
    return None


def _read_file(folder: bytes, name: bytes, *, base: bytes) -> tuple[RuleFile, ...]:
    """Read one ignore file; like git, do not follow a link."""
    path = os.path.join(folder, name)
    if not _is_file(path):
        return ()
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise UsageError(
            f"{show(path)} cannot be read: {error.strerror}.",
            "Make it readable; it says what is left out.",
        ) from error
    return (RuleFile(show(base + name), base, read_rules(text)),)


def _is_file(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _repository_root(folder: bytes) -> bytes | None:
    at = folder
    while not os.path.lexists(os.path.join(at, b".git")):
        above = os.path.dirname(at)
        if above == at:
            return None
        at = above
    return at
