"""A log holds both streams in order, never more than its limit, and the truth about what it left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.runner import names
from launcher.runner.log import CappedLog
from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Home

GAP = re.compile(rb"\n\[launcher: (\d+) bytes left out here; the log reached its limit of (\S+)\]\n")


def test_both_streams_are_kept_in_the_order_they_came(home: Home) -> None:
    batch = home.freeze(Job("for i in 1 2 3; do echo out $i; echo err $i >&2; done"))

    batch.run()

    assert batch.log() == b"".join(b"out %d\nerr %d\n" % (i, i) for i in (1, 2, 3))


def test_bytes_that_are_no_text_are_kept_as_they_are(home: Home) -> None:
    batch = home.freeze(
        Job(["head", "-c", "3000000", "/dev/urandom"]), Job(r"printf '\000\377\r\n'", name="b")
    )

    batch.run()

    assert len(batch.log(0)) == 3_000_000
    assert batch.log(1) == b"\x00\xff\r\n"


def test_a_huge_log_keeps_head_and_tail_and_says_what_is_missing(home: Home) -> None:
    lines = b"".join(b"%015d\n" % number for number in range(2**16))  # a MB
    run = "for i in $(seq 100); do cat lines; done; echo the end; exit 1"
    batch = home.freeze(Job(run, retries=1, code={"lines": lines}))

    batch.run()

    log = batch.log()
    (gap,) = GAP.finditer(log)
    spoken = 2 * (100 * len(lines) + len(b"the end\n")) + len(b"[launcher: attempt 2]\n")
    assert len(log) <= names.LOG_LIMIT_BYTES
    assert len(log) - len(gap[0]) + int(gap[1]) == spoken
    assert gap[2] == b"64MB"
    assert log.startswith(lines)
    assert log.endswith(lines + b"the end\n")


@settings(max_examples=100)
@given(
    pieces=st.lists(st.integers(1, 3000), max_size=12),
    limit=st.integers(1024, 4096),
    reopen=st.integers(1, 5),
)
def test_whatever_is_written_the_counts_are_right(
    tmp_path: Path, pieces: list[int], limit: int, reopen: int
) -> None:
    path = tmp_path / "log.txt"
    path.unlink(missing_ok=True)
    written = b""
    log = CappedLog(str(path), limit=limit)

    for number, size in enumerate(pieces):
        piece = (b"%07d " % number * (size // 8 + 1))[:size]
        log.write(piece)
        written += piece
        if number % reopen == 0:
            log.close()
            log = CappedLog(str(path), limit=limit)
    log.close()

    content = path.read_bytes()
    gap = GAP.search(content)
    assert len(content) <= limit
    if gap is None:
        assert content == written
    else:
        head, tail = content[: gap.start()], content[gap.end() :]
        assert (written.startswith(head), written.endswith(tail)) == (True, True)
        assert len(head) + int(gap[1]) + len(tail) == len(written)
        assert gap[2] == b"%dB" % limit
    assert not list(tmp_path.glob("*.new"))


def test_a_log_that_finds_no_room_to_be_cut_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = CappedLog(str(path), limit=1024)
    (tmp_path / "log.txt.new").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        log.write(b"x" * 2000)

    log.write(b"y")
    log.close()
    assert path.stat().st_size == log.size <= 1024
    assert not list(tmp_path.glob("*.new"))


def test_a_log_that_cannot_be_cut_stays_whole_and_leaves_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = CappedLog(str(path), limit=1024)
    (tmp_path / "log.txt.new").mkdir()

    with pytest.raises(OSError, match="Is a directory"):
        log.write(b"x" * 2000)

    log.close()
    assert path.read_bytes() == b"x" * 2000
