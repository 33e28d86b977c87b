"""What a hostile computer can do to the one that fetches from it: be refused, by name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import HostileNodeError, NodeError, RefusedError
from launcher.machine.wire import Wire, WireError
from launcher.nodes.sync_arrival import Arrival
from launcher.nodes.sync_fetch import Fetcher
from tests.nodes.kit import ABOUT, liar, peer_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.nodes.node import Moved


def row(path: Any = "a", kind: Any = "f", mode: Any = 0o644, size: Any = 1, target: Any = "") -> list[Any]:
    return [path, kind, mode, size, 10**18, target]


def content(data: bytes, number: int = 0, **other: Any) -> tuple[dict[str, Any], bytes]:
    value = {
        "file": number,
        "from": 0,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "changed_ns": 10**18,
    }
    return {**value, **other}, data


def fetch_from(answer: Callable[[Wire], None], to: Path, *, most_names: int = 1000, **asked: Any) -> Moved:
    with peer_to(answer) as peer:
        fetcher = Fetcher(peer, root="/there", arrival=Arrival(to, node=peer.name), most_names=most_names)
        return fetcher.fetch(asked.get("exclude", ()), None)


def names_in(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != ".fetched"
    )


ODD_ROWS: list[tuple[str, Any, str]] = [
    ("climbs out", row("../evil"), r"\.\./evil"),
    ("climbs out further down", row("a/../../evil"), r"a/\.\./\.\./evil"),
    ("is absolute", row("/etc/passwd"), "/etc/passwd"),
    ("is empty", row(""), "name ''"),
    ("has an empty part", row("a//b"), "a//b"),
    ("is the folder itself", row("."), r"'\.'"),
    ("holds a NUL", row("a\0b"), "a.x00b"),
    ("is too long", row("a" * 256), "aaaa"),
    ("is deeper than any", row("a/" * 3000 + "b"), "a/a/a"),
    ("is no text", row("\ud800"), "ud800"),
    ("is a number", row(7), "7"),
    ("is a device", row("tty", "c"), "tty.*kind 'c'"),
    ("is a hard link", row("hard", "h"), "hard.*kind 'h'"),
    ("is a pipe", row("fifo", "p"), "fifo"),
    ("is of a kind that is none", row("x", ["f"]), "'x'"),
    ("has a size below nothing", row("x", size=-1), "'x'.*size"),
    ("has a size beyond numbers", row("x", size=1 << 80), "'x'.*numbers"),
    ("has a size that is true", row("x", size=True), "'x'.*numbers"),
    ("has a mode that is text", row("x", mode="rw"), "'x'.*numbers"),
    ("is a link to nowhere that ends", row("x", "l", target="y" * 5000), "'x'"),
    ("is no row", {"path": "x"}, "row that is none"),
    ("is a short row", ["x"], "row that is none"),
]


@pytest.mark.parametrize(
    ("odd", "named"), [case[1:] for case in ODD_ROWS], ids=[case[0] for case in ODD_ROWS]
)
def test_a_name_that_no_honest_node_has_is_refused_and_nothing_is_written(
    tmp_path: Path, odd: Any, named: str
) -> None:
    with pytest.raises(HostileNodeError, match=named) as told:
        fetch_from(liar([row("good"), odd], content(b"x")), tmp_path / "to")

    assert "no honest node" in told.value.what
    assert "\0" not in told.value.what
    assert names_in(tmp_path) == ["to"]


def test_a_million_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HostileNodeError, match="more than 5,000 names"):
        fetch_from(liar([row(f"f{number}") for number in range(6000)]), tmp_path / "to", most_names=5000)

    assert names_in(tmp_path) == ["to"]


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../etc", "../x", "a/../../x", "d/../x", "", "..\\x", "/there", "a\0b"],
)
def test_a_link_that_leads_out_is_left_out_and_all_else_comes(tmp_path: Path, target: str) -> None:
    rows = [row("sub", "d"), row("link", "l", target=target), row("good")]

    with pytest.raises(RefusedError, match="'link': it is a link that leads out") as told:
        fetch_from(liar(rows, content(b"x", 2)), tmp_path / "to")

    assert [path for path, _ in told.value.refused] == ["link"]
    assert names_in(tmp_path / "to") == ["good", "sub"]


@pytest.mark.parametrize(
    ("path", "target", "written"),
    [
        ("l", "good", "good"),
        ("sub/l", "../good", "../good"),
        ("sub/l", "/there/good", "../good"),
    ],
)
def test_a_link_that_stays_inside_comes(tmp_path: Path, path: str, target: str, written: str) -> None:
    fetch_from(liar([row("sub", "d"), row(path, "l", target=target)]), tmp_path / "to")

    assert str((tmp_path / "to" / path).readlink()) == str(Path(written))


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    (tmp_path / "out").mkdir()
    (to / "door").symlink_to(tmp_path / "out")
    rows = [row("door/evil"), row("door/deep", "d"), row("door/link", "l", target="x"), row("good")]

    with pytest.raises(RefusedError, match="something else stands in its place"):
        fetch_from(liar(rows, content(b"x", 3)), to)

    assert list((tmp_path / "out").iterdir()) == []
    assert (to / "good").read_text() == "x"


def test_a_file_that_became_a_link_at_home_is_not_followed(tmp_path: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    (tmp_path / "secret").write_text("secret")
    (to / "a").symlink_to(tmp_path / "secret")

    moved = fetch_from(liar([row("a")], content(b"x")), to)

    assert (tmp_path / "secret").read_text() == "secret"
    assert len(moved.beside) == 1
    assert (to / "a").is_symlink()


def test_a_file_larger_than_there_is_room_for_is_left_out_by_name_and_all_else_comes(tmp_path: Path) -> None:
    rows = [row("huge", size=1 << 40), row("good"), row("other huge", size=1 << 50)]

    with pytest.raises(RefusedError, match=r"huge.*more than there is room for") as told:
        fetch_from(liar(rows, content(b"x", 1)), tmp_path / "to")

    assert {path for path, _ in told.value.refused} == {"huge", "other huge"}
    assert names_in(tmp_path / "to") == ["good"]


def test_a_file_that_never_ends_is_refused(tmp_path: Path) -> None:
    chunk = bytes(1 << 20)
    begin: tuple[dict[str, Any], bytes] = ({"file": 0, "from": 0}, chunk)
    more: list[tuple[dict[str, Any], bytes]] = [({"file": 0}, chunk)] * 80

    with pytest.raises(HostileNodeError, match="more of 'a' than there is"):
        fetch_from(liar([row("a")], begin, *more), tmp_path / "to")

    assert not (tmp_path / "to" / "a").exists()


ODD_CONTENTS: list[tuple[str, tuple[dict[str, Any], bytes], str]] = [
    ("another file", content(b"x", 5), "not asked for, in place of 'a'"),
    ("no number", content(b"x", file=None), "not asked for, in place of 'a'"),
    ("a part of it", content(b"x", **{"from": 7}), "from the middle"),
    ("another content", content(b"x", sha256="0" * 64), "damaged on its way"),
    ("no hash", content(b"x", sha256=None), "damaged on its way"),
]


@pytest.mark.parametrize(
    ("odd", "said"), [case[1:] for case in ODD_CONTENTS], ids=[case[0] for case in ODD_CONTENTS]
)
def test_contents_that_were_not_asked_for_are_refused(
    tmp_path: Path, odd: tuple[dict[str, Any], bytes], said: str
) -> None:
    with pytest.raises(NodeError, match=said):
        fetch_from(liar([row("a")], odd), tmp_path / "to")

    assert not (tmp_path / "to" / "a").exists()


def test_rows_that_were_not_asked_for_are_not_taken(tmp_path: Path) -> None:
    rows = [
        row("plan.json"),
        row("runs", "d"),
        row("runs/r", "d"),
        row("runs/r/work/x"),
        row(".fetched"),
        row("good"),
    ]

    moved = fetch_from(liar(rows, content(b"x", 5)), tmp_path / "to", exclude=("plan.json", "runs/*/work"))

    assert moved.paths == ("good",)
    assert names_in(tmp_path / "to") == ["good", "runs", "runs/r"]


def test_modes_that_would_let_others_in_are_not_taken(tmp_path: Path) -> None:
    fetch_from(liar([row("a", mode=0o6777)], content(b"x")), tmp_path / "to")

    assert (tmp_path / "to" / "a").stat().st_mode & 0o7777 == 0o755


# The wire


def said(*messages: bytes) -> Wire:
    stream = b"".join(messages)
    size = 3 if len(stream) < 1000 else 1 << 16
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    return Wire(lambda _: pieces.pop(0) if pieces else b"", lambda _: None)


def message(text: bytes, data: bytes = b"") -> bytes:
    return len(text).to_bytes(4, "big") + len(data).to_bytes(4, "big") + text + data


@pytest.mark.parametrize(
    "messages",
    [
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\0\xff\xff\xff\xff",
        message(b"{"),
        message(b"[]"),
        message(b"[" * 100_000),
        message(b"\xff"),
    ],
)
def test_what_is_no_message_is_refused(messages: bytes) -> None:
    with pytest.raises(WireError):
        said(messages).get()


@pytest.mark.parametrize("messages", [b"", b"\0\0", message(b"{}")[:-1], message(b"{}", b"abc")[:-1]])
def test_a_stream_that_ends_in_a_message_is_the_end(messages: bytes) -> None:
    with pytest.raises(EOFError):
        said(messages).get()


def bomb() -> bytes:
    import zlib

    return zlib.compress(bytes(1 << 27), 9)


@pytest.mark.parametrize(
    "messages",
    [
        message(b'{"rows":true}', b"no zlib"),
        message(b'{"rows":true}', bomb()),
        message(b'{"rows":false}', bytes(1 << 20)) * 40,
        message(b'{"odd":1}'),
        message(b'{"error":"there is none"}'),
        message(b'{"rows":true}', b"x\x9c\xabV*J-.\xcd)Q\xb2RP*)*MU\xaa\x05\x00D~\x06\x93"),
    ],
)
def test_what_is_no_table_is_refused(messages: bytes) -> None:
    with pytest.raises(WireError):
        list(said(messages).get_rows())


@pytest.mark.parametrize("about", [{}, {**ABOUT, "home": 1}, {**ABOUT, "python": None}])
def test_an_end_that_is_not_our_program_is_told(about: dict[str, Any]) -> None:
    def answer(wire: Wire) -> None:
        wire.put(about)
        wire.flush()

    with peer_to(answer) as peer, pytest.raises(NodeError, match="no sensible answer"):
        _ = peer.about


def test_a_python_that_is_too_old_is_told() -> None:
    def answer(wire: Wire) -> None:
        wire.put({**ABOUT, "version": [3, 8, 10]})
        wire.flush()

    with peer_to(answer) as peer, pytest.raises(NodeError, match=r"has Python 3\.8"):
        _ = peer.about


def test_an_end_that_is_gone_is_told_with_its_last_words() -> None:
    with peer_to(lambda _: None) as peer, pytest.raises(NodeError, match="ended: its last words"):
        _ = peer.about
