"""What travels between home and a node, and what does not: the real program at the other end."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import NodeError, RefusedError
from launcher.machine.sync import _TICK_NS
from launcher.machine.tree import walk
from launcher.nodes.sync_arrival import Arrival
from launcher.nodes.sync_fetch import Fetcher
from launcher.nodes.sync_send import send
from tests.nodes.kit import honest_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launcher.nodes.node import Moved
    from launcher.nodes.sync_peer import Peer

LARGE = bytes(range(256)) * 4096


@pytest.fixture
def peer() -> Iterator[Peer]:
    with honest_peer() as peer:
        yield peer


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there" / "sub").mkdir(parents=True)
    write(tmp_path / "there" / "log", b"one\n")
    write(tmp_path / "there" / "sub" / "large", LARGE)
    return tmp_path / "there"


def write(path: Path, content: bytes, age_s: int = 60) -> None:
    """Write a file that is not brand-new: what was written this moment may be written again."""
    path.write_bytes(content)
    now_ns = path.stat().st_mtime_ns - age_s * 10**9 + len(content)
    os.utime(path, ns=(now_ns, now_ns))


def fetcher(peer: Peer, there: Path) -> Fetcher:
    return Fetcher(peer, root=str(there), arrival=Arrival(there.parent / "home", node=peer.name))


def fetch_anew(there: Path, *, exclude: tuple[str, ...] = ()) -> Moved:
    """Fetch as a new client that knows only what is on disk."""
    with honest_peer() as peer:
        return fetcher(peer, there).fetch(exclude, None)


# Fetch


def test_only_news_travel_also_for_a_new_client(peer: Peer, there: Path) -> None:
    same = fetcher(peer, there)

    first, again = same.fetch((), None), same.fetch((), None)
    anew = fetch_anew(there)

    assert (first.paths, first.size_bytes) == (("log", "sub/large"), 4 + len(LARGE))
    assert (again.paths, again.size_bytes, anew.paths, anew.size_bytes) == ((), 0, (), 0)
    assert first.node_time > 0


def test_what_is_gone_here_comes_again_when_everything_is_looked_at_anew(peer: Peer, there: Path) -> None:
    same = fetcher(peer, there)
    time.sleep(2 * _TICK_NS / 1e9)  # what is younger is told of again anyway
    same.fetch((), None)
    (there.parent / "home" / "log").unlink()

    without, anew = same.fetch((), None), same.fetch((), None, anew=True)

    assert (without.paths, anew.paths) == ((), ("log",))
    assert (there.parent / "home" / "log").read_bytes() == b"one\n"


@pytest.mark.parametrize("is_new", [False, True])
def test_of_a_log_that_grows_only_the_new_bytes_travel(peer: Peer, there: Path, *, is_new: bool) -> None:
    same = fetcher(peer, there)
    same.fetch((), None)
    sizes = []
    for number in range(3):
        write(there / "log", (there / "log").read_bytes() + b"more\n", age_s=50 - number)
        moved = fetch_anew(there) if is_new else same.fetch((), None)
        sizes.append((moved.paths, moved.size_bytes))

    assert sizes == [(("log",), 5)] * 3
    assert (there.parent / "home" / "log").read_bytes() == b"one\nmore\nmore\nmore\n"


def test_a_file_that_replaces_another_and_has_its_number_comes_whole(peer: Peer, there: Path) -> None:
    same = fetcher(peer, there)
    for content in (b'{"a": 1}', b'{"a": 1, "b": [1, 2]}', b'{"best": 3, "last": 4, "values": [5, 6]}'):
        write(there / "log", content)
        same.fetch((), None)
        assert (there.parent / "home" / "log").read_bytes() == content


def test_a_log_that_was_written_anew_comes_whole(peer: Peer, there: Path) -> None:
    same = fetcher(peer, there)
    same.fetch((), None)
    write(there / "log", b"another beginning\n")
    same.fetch((), None)
    write(there / "log", b"short\n", age_s=30)

    same.fetch((), None)

    assert (there.parent / "home" / "log").read_bytes() == b"short\n"


def test_what_came_before_it_was_broken_off_does_not_travel_again(there: Path) -> None:
    with honest_peer() as peer:
        interrupted = fetcher(peer, there)
        with pytest.raises(KeyboardInterrupt):
            interrupted.fetch((), stop_after_first)

    assert fetch_anew(there).paths == ("sub/large",)


def stop_after_first(_done: int, _total: int) -> None:
    raise KeyboardInterrupt


def test_bytes_of_a_torn_transfer_do_not_travel_again(there: Path) -> None:
    home = there.parent / "home"
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "large").write_bytes(LARGE[:-10])

    moved = fetch_anew(there)

    assert moved.size_bytes == 4 + 10
    assert moved.beside == ()
    assert (home / "sub" / "large").read_bytes() == LARGE


def test_a_part_that_is_there_is_completed(there: Path) -> None:
    home = there.parent / "home"
    arrival = Arrival(home, node="box")
    row = next(found.row for found in walk(str(there)) if found.row.path == "sub/large")
    (home / "sub").mkdir()
    Path(arrival._part(row)).write_bytes(LARGE[: 1 << 18])

    moved = fetch_anew(there)

    assert moved.size_bytes == 4 + len(LARGE) - (1 << 18)
    assert (home / "sub" / "large").read_bytes() == LARGE
    assert list(home.rglob("*.part")) == []


def test_what_was_changed_at_home_is_kept_and_told_once(peer: Peer, there: Path) -> None:
    home = there.parent / "home"
    same = fetcher(peer, there)
    same.fetch((), None)
    (home / "log").write_bytes(b"mine, and longer than theirs\n")
    write(there / "log", b"one\ntwo\n", age_s=40)

    first, again = same.fetch((), None), fetch_anew(there)

    assert len(first.beside) == 1
    assert (home / "log").read_bytes() == b"mine, and longer than theirs\n"
    assert (home / first.beside[0]).read_bytes() == b"one\ntwo\n"
    assert (again.paths, again.beside, again.size_bytes) == ((), (), 0)


def test_what_the_same_change_made_equal_is_no_conflict(peer: Peer, there: Path) -> None:
    same = fetcher(peer, there)
    same.fetch((), None)
    for place in (there, there.parent / "home"):
        write(place / "log", b"both\n", age_s=20)

    moved = same.fetch((), None)

    assert (moved.paths, moved.beside) == (("log",), ())


def test_what_was_removed_at_home_comes_again(there: Path) -> None:
    fetch_anew(there)
    (there.parent / "home" / "log").unlink()

    assert fetch_anew(there).paths == ("log",)


def test_a_file_may_become_a_folder_and_a_folder_a_file(there: Path) -> None:
    home = there.parent / "home"
    fetch_anew(there)
    (there / "log").unlink()
    (there / "log").mkdir()
    write(there / "log" / "inner", b"i")
    shutil.rmtree(there / "sub")
    write(there / "sub", b"now a file")

    moved = fetch_anew(there)

    assert (home / "log" / "inner").read_bytes() == b"i"
    assert (home / "sub" / "large").exists()  # nothing is removed at home
    assert [(home / path).read_bytes() for path in moved.beside] == [b"now a file"]


def test_a_file_takes_the_place_of_an_empty_folder(there: Path) -> None:
    """As a disk may have shown one that was cut off, before its journal was replayed."""
    fetch_anew(there)
    (there / "log").unlink()
    (there / "log").mkdir()
    fetch_anew(there)
    (there / "log").rmdir()
    write(there / "log", b"a file again")

    moved = fetch_anew(there)

    assert (moved.paths, moved.beside) == (("log",), ())
    assert (there.parent / "home" / "log").read_bytes() == b"a file again"


def test_a_folder_does_not_take_the_place_of_a_file_that_was_changed_at_home(there: Path) -> None:
    fetch_anew(there)
    (there.parent / "home" / "log").write_bytes(b"mine")
    (there / "log").unlink()
    (there / "log").mkdir()
    write(there / "log" / "inner", b"i")

    with pytest.raises(RefusedError, match="something else stands in its place"):
        fetch_anew(there)

    assert (there.parent / "home" / "log").read_bytes() == b"mine"


def test_a_link_does_not_take_the_place_of_a_file(there: Path) -> None:
    fetch_anew(there)
    (there / "log").unlink()
    (there / "log").symlink_to("sub")

    with pytest.raises(RefusedError, match="something else stands in its place"):
        fetch_anew(there)


def test_a_mode_that_changed_alone_is_taken_over(there: Path) -> None:
    fetch_anew(there)
    (there / "log").chmod(0o755)

    moved = fetch_anew(there)

    assert (moved.paths, moved.size_bytes) == ((), 0)
    assert (there.parent / "home" / "log").stat().st_mode & 0o777 == 0o755


def test_what_is_left_out_stays_there_and_what_is_no_file_is_passed_over(there: Path) -> None:
    for run in ("a", "b"):
        (there / "runs" / run / "work" / "deep").mkdir(parents=True)
        write(there / "runs" / run / "state.json", b"{}")
    os.mkfifo(there / "pipe")

    moved = fetch_anew(there, exclude=("runs/*/work", "sub"))

    assert moved.paths == ("log", "runs/a/state.json", "runs/b/state.json")
    assert not (there.parent / "home" / "runs" / "a" / "work").exists()


def test_states_come_after_what_they_speak_of(there: Path) -> None:
    for name in ("state.json", "events.jsonl", "zlast", "manifest.json"):
        write(there / name, name.encode())

    paths = fetch_anew(there).paths

    assert paths == ("log", "sub/large", "zlast", "state.json", "events.jsonl", "manifest.json")


def test_progress_is_told_in_bytes(there: Path) -> None:
    told: list[tuple[int, int]] = []
    with honest_peer() as peer:
        fetcher(peer, there).fetch((), lambda done, total: told.append((done, total)))

    assert told == [(4, 4 + len(LARGE)), (4 + len(LARGE), 4 + len(LARGE))]


def test_a_record_that_is_torn_or_lost_costs_a_comparison_and_nothing_else(there: Path) -> None:
    fetch_anew(there)
    record = there.parent / "home" / ".fetched"
    record.write_bytes(b'["log"]\nno json\n' + record.read_bytes()[:-20])

    torn = fetch_anew(there)
    record.unlink()
    lost = fetch_anew(there)

    assert (torn.size_bytes, torn.beside, lost.size_bytes, lost.beside) == (0, (), 0, ())


def test_a_record_does_not_grow_without_end(peer: Peer, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.nodes.sync_record._MOST_IN_VAIN", 5)
    same = fetcher(peer, there)
    for number in range(20):
        write(there / "log", f"{number}\n".encode(), age_s=50 - number)
        same.fetch((), None)

    assert len((there.parent / "home" / ".fetched").read_text().split()) <= 12
    assert fetch_anew(there).size_bytes == 0


def test_a_folder_that_is_not_there_is_an_error(peer: Peer, there: Path) -> None:
    with pytest.raises(NodeError, match="nothing-here"):
        fetcher(peer, there / "nothing-here").fetch((), None)


# Send


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    (folder / "code" / "deep").mkdir(parents=True)
    write(folder / "code" / "train.py", b"print(1)\n")
    write(folder / "code" / "deep" / "data", LARGE)
    (folder / "code" / "link").symlink_to("train.py")
    return folder


def bring(peer: Peer, here: Path, name: str = "batch", **options: Any) -> Moved:
    to = here.parent / "node" / name
    return send(peer, here, to=str(to), exclude=options.get("exclude", ()), tell=options.get("tell"))


def test_only_what_is_missing_or_changed_is_sent(peer: Peer, here: Path) -> None:
    first, again = bring(peer, here), bring(peer, here)
    write(here / "code" / "train.py", b"print(2)\n", age_s=20)
    changed = bring(peer, here)
    os.utime(here / "code" / "deep" / "data", (5, 5))
    touched = bring(peer, here)

    assert set(first.paths) == {"code/train.py", "code/deep/data"}
    assert (again.paths, again.size_bytes) == ((), 0)
    assert (changed.paths, touched.paths) == (("code/train.py",), ())
    assert (here.parent / "node" / "batch" / "code" / "train.py").read_bytes() == b"print(2)\n"


def test_what_an_earlier_batch_has_is_copied_there_and_does_not_travel(peer: Peer, here: Path) -> None:
    bring(peer, here, "1")
    write(here / "code" / "train.py", b"print(2)\n", age_s=20)

    moved = bring(peer, here, "2")

    assert moved.paths == ("code/train.py",)
    assert (here.parent / "node" / "2" / "code" / "deep" / "data").read_bytes() == LARGE


def test_a_file_of_an_earlier_batch_that_only_looks_the_same_is_not_used(peer: Peer, here: Path) -> None:
    bring(peer, here, "1")
    forged = here.parent / "node" / "1" / "code" / "deep" / "data"
    facts = forged.stat()
    forged.write_bytes(LARGE[::-1])
    os.utime(forged, ns=(facts.st_mtime_ns, facts.st_mtime_ns))

    moved = bring(peer, here, "2")

    assert "code/deep/data" in moved.paths
    assert (here.parent / "node" / "2" / "code" / "deep" / "data").read_bytes() == LARGE


def test_read_only_folders_arrive_so_and_can_be_sent_to_again(peer: Peer, here: Path) -> None:
    (here / "code" / "deep").chmod(0o555)
    bring(peer, here)
    there = here.parent / "node" / "batch" / "code"
    (here / "code" / "deep").chmod(0o755)
    write(here / "code" / "deep" / "more", b"more")
    (here / "code" / "deep").chmod(0o555)

    bring(peer, here)

    assert (there / "deep" / "more").read_bytes() == b"more"
    assert (there / "deep").stat().st_mode & 0o777 == 0o555


def test_kinds_may_change_between_two_sends(peer: Peer, here: Path) -> None:
    bring(peer, here)
    (here / "code" / "train.py").unlink()
    (here / "code" / "train.py").mkdir()
    write(here / "code" / "train.py" / "inner", b"i")
    shutil.rmtree(here / "code" / "deep")
    write(here / "code" / "deep", b"file")
    (here / "code" / "link").unlink()
    (here / "code" / "link").symlink_to("deep")

    bring(peer, here)

    there = here.parent / "node" / "batch" / "code"
    assert (there / "train.py" / "inner").read_bytes() == b"i"
    assert (there / "deep").read_bytes() == b"file"
    assert str((there / "link").readlink()) == "deep"


def test_a_mode_alone_is_taken_over_without_sending(peer: Peer, here: Path) -> None:
    bring(peer, here)
    (here / "code" / "train.py").chmod(0o700)

    assert bring(peer, here).paths == ()
    assert (here.parent / "node" / "batch" / "code" / "train.py").stat().st_mode & 0o777 == 0o700


def test_what_is_left_out_is_not_sent_and_progress_is_told(peer: Peer, here: Path) -> None:
    told: list[tuple[int, int]] = []

    moved = bring(peer, here, exclude=("code/deep",), tell=lambda done, total: told.append((done, total)))

    assert moved.paths == ("code/train.py",)
    assert told == [(9, 9)]


def test_a_file_that_vanishes_while_it_is_sent_is_an_error_that_names_it(
    peer: Peer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(*_: object) -> list[int]:
        (here / "code" / "train.py").unlink()
        return settle(*_)  # type: ignore[arg-type]

    from launcher.nodes import sync_send

    settle = sync_send._settle
    monkeypatch.setattr("launcher.nodes.sync_send._settle", vanish)

    with pytest.raises(NodeError, match=r"train\.py"):
        bring(peer, here)


@pytest.mark.root
def test_a_place_that_cannot_be_written_to_is_an_error(peer: Peer, here: Path) -> None:
    (here.parent / "node").write_text("a file")

    with pytest.raises(NodeError):
        bring(peer, here)


# Run


def test_much_goes_in_and_comes_out(peer: Peer) -> None:
    done = peer.run(["cat"], timeout_s=30, stdin=LARGE * 4)

    assert done.stdout == LARGE * 4
