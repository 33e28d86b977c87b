"""A log is followed whatever becomes of its file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from launcher.results.log import CHUNK_BYTES, LogTail
from launcher.runner.log import CappedLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def drain(tail: LogTail) -> bytes:
    return b"".join(iter(tail.read_new, b""))


def test_each_byte_is_read_once(path: Path) -> None:
    tail = LogTail(path)
    path.write_bytes(b"one\n")

    first = tail.read_new()
    with path.open("ab") as log:
        log.write(b"two\n")

    assert (first, tail.read_new(), tail.read_new()) == (b"one\n", b"two\n", b"")


def test_a_log_may_be_absent_at_first_and_at_last(path: Path) -> None:
    tail = LogTail(path)

    before = tail.read_new()
    path.write_bytes(b"here\n")
    found = tail.read_new()
    path.unlink()

    assert (before, found, tail.read_new()) == (b"", b"here\n", b"")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_log_has_no_bytes(path: Path, make: object) -> None:
    assert callable(make)
    make(path)

    assert LogTail(path).read_new() == b""


def test_a_large_log_comes_in_pieces(path: Path) -> None:
    content = bytes(range(256)) * (CHUNK_BYTES // 100)
    path.write_bytes(content)
    tail = LogTail(path)

    first = tail.read_new()

    assert len(first) == CHUNK_BYTES
    assert first + drain(tail) == content


def test_a_log_that_is_cut_short_is_read_anew(path: Path) -> None:
    tail = LogTail(path)
    path.write_bytes(b"a long first line\n")
    drain(tail)

    path.write_bytes(b"new\n")

    assert drain(tail) == b"new\n"


def test_a_log_that_is_written_anew_and_longer_is_read_anew(path: Path) -> None:
    tail = LogTail(path)
    path.write_bytes(b"first\n")
    drain(tail)

    path.write_bytes(b"something else that is longer\n")

    assert drain(tail) == b"something else that is longer\n"


def test_a_copy_that_goes_on_is_followed(path: Path) -> None:
    tail = LogTail(path)
    path.write_bytes(b"first\n")
    drain(tail)

    neighbour = path.with_name("log.new")
    neighbour.write_bytes(b"first\nsecond\n")
    neighbour.replace(path)

    assert drain(tail) == b"second\n"


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, last))


def test_a_reader_that_keeps_up_loses_no_byte_when_the_middle_is_left_out(path: Path) -> None:
    log, tail, seen = CappedLog(str(path), limit=4096), LogTail(path), b""

    for number in range(0, 3000, 7):
        log.write(numbered(number, number + 7))
        seen += drain(tail)
    log.close()

    assert b"bytes left out" in path.read_bytes()
    assert seen == numbered(0, 3003)


def test_a_reader_that_falls_behind_is_told_how_much_it_lost(path: Path) -> None:
    log, tail = CappedLog(str(path), limit=4096), LogTail(path)
    log.write(numbered(0, 10))
    seen = drain(tail)

    for number in range(10, 3000):
        log.write(numbered(number, number + 1))
    log.close()
    rest = drain(tail)

    whole = numbered(0, 3000)
    head, _, after = rest.partition(b"\n[launcher: ")
    assert b" bytes left out here; the log reached its limit of 4096B]\n" in after
    assert whole.startswith(seen + head)
    end = after.partition(b"]\n")[2]
    assert whole.endswith(end)
    assert int(after.split()[0]) == len(whole) - len(seen + head) - len(end)


def test_a_reader_in_the_middle_is_told_only_what_it_lost(path: Path) -> None:
    log, tail = CappedLog(str(path), limit=4096), LogTail(path)
    for number in range(200):
        log.write(numbered(number, number + 1))
    seen = drain(tail)

    for number in range(200, 3000):
        log.write(numbered(number, number + 1))
    log.close()
    rest = drain(tail)

    assert seen == numbered(0, 200)
    assert rest.startswith(b"\n[launcher: ")
    lost, end = int(rest.split()[1]), rest.partition(b"]\n")[2]
    assert numbered(0, 3000)[len(seen) + lost :] == end


def test_a_log_with_a_gap_from_the_start_is_read_as_it_stands(path: Path) -> None:
    log, tail = CappedLog(str(path), limit=4096), LogTail(path)
    for number in range(3000):
        log.write(numbered(number, number + 1))

    first = drain(tail)
    standing = path.read_bytes()
    for number in range(3000, 4000):
        log.write(numbered(number, number + 1))
        first += drain(tail)
    log.close()

    assert first == standing + numbered(3000, 4000)


def test_a_line_that_the_run_printed_itself_is_no_gap(path: Path) -> None:
    fake = b"\n[launcher: 999999 bytes left out here; the log reached its limit of 4096B]\n"
    log, tail = CappedLog(str(path), limit=4096), LogTail(path)
    log.write(fake + numbered(0, 10))
    seen = drain(tail)

    for number in range(10, 2000):
        log.write(numbered(number, number + 1))
        seen += drain(tail)
    log.close()

    assert seen == fake + numbered(0, 2000)


def test_a_gap_far_into_a_large_log_is_found(path: Path) -> None:
    log, tail = CappedLog(str(path), limit=8 << 20), LogTail(path)
    block = numbered(0, 50_000)
    total = 0
    seen = 0

    for _ in range(24):
        log.write(block)
        total += len(block)
        seen += len(drain(tail))
    log.close()

    assert (8 << 20) < total == seen
    assert b"limit of 8MB]" in path.read_bytes()
