"""The deadman's ticks, with programs that are only written down; on real machines they run in the box."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from launcher.machine.deadman import Deadman
from launcher.machine.life import Life, age_of_boot, read_life, write_life
from launcher.machine.look import boot_id
from launcher.machine.power import power_off, run_program
from launcher.machine.rules import RulesError, read_rules
from launcher.machine.spot import read_notice, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOW = 1_795_000_000.0
RULES = {
    "deadline_at": NOW + 3600,
    "granted_s": 1e9,
    "lease_s": 900,
    "home": "/home/runner/.launcher",
    "run_as": "root",
}
AT_WORK = {"name": "otter", "is_open": True, "silent_s": 1.0, "is_same_boot": True, "can_start": True}


class Place:
    """A machine on paper: what ticks see, what they run, how it ended."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.folder, self.now = folder, NOW
        self.seen: Any = {"asked": None, "interrupted": False, "batches": []}
        self.ran: list[list[str]] = []
        self.end: dict[str, Any] = {}
        (folder / "machine.json").write_text(json.dumps({**RULES, **rules}))
        self.deadman = Deadman(
            rules=str(folder / "machine.json"),
            state=str(folder / "state"),
            run=self._run,
            power_off=self._power_off,
            clock=lambda: self.now,
        )

    @property
    def started(self) -> list[str]:
        return [argv[-1] for argv in self.ran if argv[0] == "systemd-run"]

    def _run(self, argv: Sequence[str], *, timeout_s: float) -> bytes | None:
        assert timeout_s <= 30
        self.ran.append(list(argv))
        return json.dumps(self.seen).encode() if "look" in argv else None

    def _power_off(self, reason: str, **how: Any) -> None:
        self.end = {"reason": reason, **how}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_first_tick_arms_and_says_when_and_the_next_ones_do_not_move_it(place: Place) -> None:
    before = time.time()
    place.deadman.tick()
    armed = (place.folder / "state" / "armed").read_text()
    place.deadman.tick()

    assert before - 1 <= float(armed) <= time.time()
    assert (place.folder / "state" / "armed").read_text() == armed
    assert place.end == {}


def test_at_the_deadline_nothing_that_runs_can_write_is_looked_at(place: Place) -> None:
    place.now = NOW + 3600
    place.deadman.tick()

    assert place.end["reason"] == "the deadline"
    assert place.ran == []
    assert place.end["end_runners"][-3:] == ["end", "/home/runner/.launcher", "30.0"]


def test_a_clock_that_stands_still_does_not_help(tmp_path: Path) -> None:
    place = Place(tmp_path, granted_s=100)
    write_life(str(tmp_path / "state"), Life("an earlier boot", 60.0, 41.0, 101.0))
    place.deadman.tick()

    assert place.end["reason"] == "the deadline"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"deadline_at": "soon"}'])
def test_a_machine_without_rules_ends_at_once(place: Place, text: str) -> None:
    (place.folder / "machine.json").write_text(text)
    place.deadman.tick()

    assert "can't be read" in place.end["reason"]
    with pytest.raises(RulesError):
        read_rules(str(place.folder / "nowhere"))


def test_work_is_remembered_so_that_the_lease_counts_from_its_end(place: Place) -> None:
    place.seen["batches"] = [AT_WORK]
    place.deadman.tick()
    life = read_life(str(place.folder / "state"))
    place.seen["batches"] = []
    place.deadman.tick()

    assert life.busy_at_s == pytest.approx(life.lived_s, abs=60)
    assert place.end == {}


def test_a_request_ends_it_and_a_lease_from_home_holds_it(tmp_path: Path) -> None:
    place = Place(tmp_path, lease_s=0)
    write_life(str(tmp_path / "state"), Life(boot_id(), 0.0, 0.0, -1e9))
    place.deadman.grant_lease(60.0)
    place.deadman.tick()
    held = dict(place.end)
    place.now += 61
    place.deadman.tick()
    after = place.end["reason"]
    place.seen["asked"] = "all done"
    place.deadman.tick()

    assert (held, after, place.end["reason"]) == ({}, "the lease is over", "asked for: all done")


def test_lost_runners_are_started_and_names_that_are_none_are_not(place: Place) -> None:
    lost = {**AT_WORK, "silent_s": 200}
    hostile = ("../etc", "-x", "", "a b", None, "x" * 200)
    place.seen["batches"] = [lost, *({**lost, "name": name} for name in hostile), "no batch"]
    place.deadman.tick()

    assert place.started == ["/home/runner/.launcher/batches/otter"]
    assert not place.deadman.start("otter")


@pytest.mark.parametrize("seen", [[], "", {"batches": 5}, {"batches": [{"name": "a", "silent_s": True}]}])
def test_whatever_the_child_says_the_tick_comes_to_its_end(place: Place, seen: Any) -> None:
    place.seen = seen
    place.deadman.tick()

    assert (place.folder / "state" / "life.json").exists()
    assert place.end == {}


def test_before_there_is_a_user_nothing_is_looked_at(tmp_path: Path) -> None:
    place = Place(tmp_path, run_as="nobody-of-that-name")
    place.deadman.tick()

    assert place.ran == []


def test_lives_add_up_over_boots_and_a_full_disk_ends_no_tick(tmp_path: Path) -> None:
    write_life(str(tmp_path), Life("an earlier boot", 10.0, 5.0, 12.0))
    life = read_life(str(tmp_path))
    (tmp_path / "file").write_text("")
    write_life(str(tmp_path / "file"), life)

    assert (life.before_s, life.busy_at_s, life.boot_id) == (15.0, 12.0, boot_id())
    assert 0 < life.age_s <= age_of_boot()


def test_the_way_down_is_runners_disk_system_and_then_force(tmp_path: Path) -> None:
    steps: list[str] = []
    power_off(
        "the deadline",
        state=str(tmp_path),
        end_runners=["end-runners"],
        grace_s=30.0,
        run=lambda argv, *, timeout_s: steps.append(f"{' '.join(argv)} {timeout_s:g}"),
        sleep=lambda seconds: steps.append(f"sleep {seconds:g}"),
    )
    power_off(
        "no home",
        state="/nowhere",
        end_runners=(),
        grace_s=0.0,
        run=lambda *_, **__: None,
        sleep=lambda _: None,
    )

    assert steps == [
        "end-runners 60",
        "sync 30",
        "systemctl poweroff -i 30",
        "sleep 120",
        "systemctl poweroff --force --force 30",
    ]
    assert (tmp_path / "reason").read_text() == "the deadline\n"


def test_programs_that_fail_or_hang_hold_nothing_up() -> None:
    assert run_program(["echo", "hello"], timeout_s=30.0) == b"hello\n"
    assert run_program(["false"], timeout_s=30.0) is None
    assert run_program(["no-such-program"], timeout_s=30.0) is None
    assert run_program(["sleep", "60"], timeout_s=0.1) is None


class Metadata(BaseHTTPRequestHandler):
    """The metadata service: a notice at the second look, and no answer without a token."""

    notices: list[str]

    def do_PUT(self) -> None:
        self._answer(200, "token")

    def do_GET(self) -> None:
        notice = self.notices.pop(0) if self.headers["X-aws-ec2-metadata-token"] == "token" else ""
        self._answer(200 if notice else 404, notice)

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def metadata() -> Iterator[str]:
    Metadata.notices = ["", '{"action": "terminate"}']
    with HTTPServer(("127.0.0.1", 0), Metadata) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_watcher_waits_for_the_notice_and_passes_it_on_as_the_user(place: Place, metadata: str) -> None:
    waits: list[float] = []
    rules = read_rules(str(place.folder / "machine.json"))
    watch(rules, sleep=waits.append, host=metadata, run=lambda argv, **_: place.ran.append(list(argv)))

    assert waits == [5.0]
    assert place.ran[0][:2] == ["setpriv", "--reuid=root"]
    assert place.ran[0][-4:] == ["interrupt", RULES["home"], "90.0", '{"action": "terminate"}']


def test_where_nobody_answers_there_is_no_notice() -> None:
    assert read_notice("127.0.0.1:1") == ""
