"""Links in a job folder: where they lead, and that it is not out of it. Reads links, changes nothing."""
# ruff: noqa: PTH115, PTH117, PTH118 - names are bytes here, and pathlib knows only text

from __future__ import annotations

import os
from collections import deque

from launcher.errors import UsageError
from launcher.snapshot.show import show

_MOST_LINKS = 40  # after so many Linux gives up too: such a link leads nowhere


class _LeavesError(Exception):
    """The link leads out of the folder."""


def read_link(root: bytes, path: bytes) -> str:
    """Return what the link at `path` below `root` points to, as the copy must say it.

    A relative target stays as it is written. An absolute one that points into the folder becomes relative: in
    the copy it would go on pointing at the files that the user edits.

    Args:
        root: the job folder, absolute, without links in it.

    Raises:
        UsageError: it leads out of the folder, itself or through other links.
    """
    target = os.readlink(os.path.join(root, path))
    above = path.split(b"/")[:-1]
    try:
        steps = _steps(root, target)
        _walk(root, [] if os.path.isabs(target) else above, steps)
    except _LeavesError:
        name = show(os.path.join(root, path))
        raise UsageError(
            f"{name} is a link that leaves the job's folder: it points to {show(target)}.",
            "Copy what it points to into the folder, or name the link in .launcherignore.",
        ) from None
    if not os.path.isabs(target):
        return os.fsdecode(target)
    return os.fsdecode(b"/".join((*[b".."] * len(above), *steps)) or b".")


def _walk(root: bytes, start: list[bytes], steps: list[bytes]) -> None:
    """Follow `steps` below `root` as the system would, link by link."""
    at, ahead, links = list(start), deque(steps), 0
    while ahead and links < _MOST_LINKS:
        step = ahead.popleft()
        if step == b"..":
            if not at:
                raise _LeavesError
            at.pop()
            continue
        target = _target(os.path.join(root, *at, step))
        if target is None:
            at.append(step)
            continue
        links += 1
        at = [] if os.path.isabs(target) else at
        ahead.extendleft(reversed(_steps(root, target)))


def _steps(root: bytes, target: bytes) -> list[bytes]:
    """Split a target; an absolute one becomes steps from `root`."""
    if os.path.isabs(target):
        target = _below(root, target)
    return [step for step in target.replace(os.sep.encode(), b"/").split(b"/") if step not in {b"", b"."}]


def _below(root: bytes, target: bytes) -> bytes:
    # Only what stands before the last name is resolved: the last may be a link in the folder, and stays one.
    folder, name = os.path.split(target.rstrip(b"/") or b"/")
    real = os.path.join(os.path.realpath(folder), name)
    if os.path.realpath(target) == root:
        return b""
    if not real.startswith(root + os.sep.encode()):
        raise _LeavesError
    return real[len(root) + 1 :]


def _target(path: bytes) -> bytes | None:
    try:
        return os.readlink(path)
    except OSError:  # no link, or nothing there
        return None
