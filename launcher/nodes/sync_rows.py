"""What a node says that a folder holds, believed in nothing: names, kinds, numbers and links are checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from launcher.errors import HostileNodeError
from launcher.machine.tree import FILE, FOLDER, LINK, Row, compile_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_NAMES = 500_000
_MOST_BYTES = 4096
_MOST_NAME_BYTES = 255
_MOST_NUMBER = 1 << 62
_KINDS = (FILE, FOLDER, LINK)
_WINDOWS = frozenset('\\:*?"<>|')


def checked_rows(
    rows: Iterable[Any], *, node: str, exclude: Sequence[str], most: int = MOST_NAMES
) -> Iterator[Row]:
    """Yield the rows that were asked for.

    Args:
        exclude: what was not asked for; a node that tells it all the same is not listened to.
        most: how many names a folder may hold.

    Raises:
        HostileNodeError: an honest node would not say that.
    """
    left_out = compile_patterns(exclude)
    for count, value in enumerate(rows):
        if count >= most:
            raise _hostile(node, f"more than {most:,} names")
        row = _row(value, node)
        if not _is_below(row.path, left_out):
            yield row


def is_inside(row: Row) -> bool:
    """Tell whether a link stays in the folder.

    `..` may stand only before any name: behind one that is itself a link it would lead anywhere.
    """
    if not row.target or row.target.startswith("/") or {"\\", "\0"} & set(row.target):
        return False
    steps = [step for step in row.target.split("/") if step not in {"", "."}]
    ups = next((number for number, step in enumerate(steps) if step != ".."), len(steps))
    return ".." not in steps[ups:] and ups <= row.path.count("/")


def _is_below(path: str, left_out: Any) -> bool:
    if left_out is None:
        return False
    parts = path.split("/")
    return any(left_out.fullmatch("/".join(parts[:length])) for length in range(1, len(parts) + 1))


def _row(value: Any, node: str) -> Row:
    if not isinstance(value, list) or len(value) != len(Row._fields):
        raise _hostile(node, f"a row that is none: {value!r:.100}")
    path, kind, mode, size, changed_ns, target = value
    if not isinstance(path, str) or not isinstance(target, str) or not _is_name(path):
        raise _hostile(node, f"the name {path!r:.200}")
    if kind not in _KINDS:
        raise _hostile(node, f"{path!r:.200} of the kind {kind!r:.100}")
    if not all(type(number) is int and abs(number) < _MOST_NUMBER for number in (mode, size, changed_ns)):
        raise _hostile(node, f"{path!r:.200} with numbers that are none")
    if size < 0 or len(target) > _MOST_BYTES:
        raise _hostile(node, f"{path!r:.200} with a size or target that cannot be")
    return Row(path, kind, mode & 0o777, size, changed_ns, target)


def _is_name(path: str) -> bool:
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:
        return False
    parts = raw.split(b"/")
    is_short = len(raw) <= _MOST_BYTES and all(len(part) <= _MOST_NAME_BYTES for part in parts)
    is_plain = all(part not in {b"", b".", b".."} for part in parts) and b"\0" not in raw
    return is_short and is_plain and (os.name != "nt" or not _WINDOWS & set(path))


def _hostile(node: str, what: str) -> HostileNodeError:
    return HostileNodeError(
        f"{node} sends what no honest node sends: {what}.",
        "Nothing of it was taken. Do not trust that computer.",
    )
