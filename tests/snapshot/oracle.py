"""Ask git itself which entries of a folder its ignore files leave out."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"}


def make_repository(root: Path, files: Mapping[bytes, bytes]) -> None:
    root.mkdir(exist_ok=True)
    (root / ".git" / "objects").mkdir(parents=True, exist_ok=True)
    (root / ".git" / "refs").mkdir(exist_ok=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    for name, content in files.items():
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def files_git_takes(root: Path, *, below: str = ".") -> set[str]:
    command = [
        "git",
        "-c",
        "core.excludesFile=",
        "ls-files",
        "-z",
        "--others",
        "--exclude-per-directory=.gitignore",
    ]
    done = subprocess.run(
        [*command, "--", below], cwd=root, env={**os.environ, **QUIET}, capture_output=True, check=True
    )
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
