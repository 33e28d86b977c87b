"""Bringing a batch home: what counts as home, what is told, what a lost node means."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import HostileNodeError, HostKeyError, NodeError, ResultsNotSafeError
from launcher.pull import News, Pulled, Puller, write_seen
from launcher.results.batch import read_batch
from launcher.results.left import Missing, find_missing, read_left
from launcher.results.life import count_requests, look_at_runner
from tests.batch_factory import BOOT, BatchFolder, Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 21, 2, 13, tzinfo=UTC)


@pytest.fixture
def batch(tmp_path: Path) -> BatchFolder:
    return BatchFolder(tmp_path / "batches" / "20261121-0213-brisk-otter", [Job()])


class Broken:
    """A puller that meets what a test wants."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.look: Callable[[], None] = lambda: None

    def pull(self) -> Pulled | None:
        self.asked += 1
        self.look()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def read(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def news_of(puller: Broken) -> tuple[News, Clock, list[str]]:
    clock, told = Clock(), list[str]()
    return News(puller, clock=clock.read, tell=told.append), clock, told  # type: ignore[arg-type]


def test_news_are_asked_for_every_few_seconds_and_not_more_often() -> None:
    puller = Broken(Pulled())
    news, clock, _ = news_of(puller)

    for _ in range(40):
        news.refresh()
        clock.sleep(0.25)

    assert puller.asked == 4


@pytest.mark.parametrize(
    ("answer", "took_s", "pause_s"),
    [
        (Pulled(), 0.1, 3.0),
        (Pulled(), 2.0, 20.0),
        (Pulled(), 28.0, 30.0),
        (NodeError("It is gone.", "Wait."), 28.0, 3.0),
    ],
    ids=["quick", "slow", "a network that was away for a moment", "failed"],
)
def test_looking_is_a_small_part_of_the_time_unless_the_node_was_waited_for(
    answer: Any, took_s: float, pause_s: float
) -> None:
    puller = Broken(answer)
    news, clock, _ = news_of(puller)
    puller.look = lambda: clock.sleep(took_s)
    news.refresh()

    clock.sleep(pause_s - 0.5)
    news.refresh()
    too_early = puller.asked
    clock.sleep(1.0)
    news.refresh()

    assert (too_early, puller.asked) == (1, 2)


def test_a_node_that_is_lost_is_told_once_and_once_when_it_is_back() -> None:
    puller = Broken(
        NodeError("It is gone.", "Wait."), NodeError("It is gone.", "Wait."), Pulled(ended=3), None
    )
    news, clock, told = news_of(puller)

    for _ in range(4):
        news.refresh()
        clock.sleep(5)

    assert told == ["It is gone. Trying again; the batch goes on there.", "The node is back."]
    assert news.last.ended == 3


def test_a_node_that_is_hostile_is_not_asked_again() -> None:
    news, _, _ = news_of(Broken(HostileNodeError("It lies.", "Go away.")))

    with pytest.raises(HostileNodeError):
        news.refresh()


def test_where_another_computer_answers_it_is_asked_what_became_of_ours() -> None:
    asked: list[NodeError] = []
    puller, clock = Broken(HostKeyError("It may be another computer.", "Do not connect.")), Clock()
    news = News(puller, clock=clock.read, tell=asked.append, lost=asked.append)  # type: ignore[arg-type]

    with pytest.raises(HostKeyError):
        news.refresh()

    assert [type(each) for each in asked] == [HostKeyError]


def test_the_end_waits_for_everything_and_says_what_is_missing_when_patience_ends() -> None:
    missing = Pulled(missing=(Missing("runs/a/log.txt", "it is not at home"),))
    good, bad = Broken(missing, Pulled(is_alive=True), Pulled(ended=1)), Broken(missing)
    news, _, _ = news_of(good)
    hopeless, clock, _ = news_of(bad)

    assert news.finish(clock.sleep).is_safe
    assert good.asked == 3
    assert not hopeless.finish(clock.sleep).is_safe
    assert clock.now_s >= 60


@pytest.mark.parametrize("news", [None, NodeError("It is gone.", "Wait.")], ids=["busy", "lost"])
def test_what_was_not_looked_at_in_the_end_is_not_safe(news: Any) -> None:
    hopeless, clock, _ = news_of(Broken(Pulled(ended=1), *[news] * 100))
    hopeless.refresh(at_once=True)

    with pytest.raises(ResultsNotSafeError):
        hopeless.finish(clock.sleep)
    assert clock.now_s >= 60


def test_a_batch_elsewhere_is_judged_by_what_was_seen_there(batch: BatchFolder) -> None:
    batch.set_state(0, "running")

    def state(**seen: Any) -> str:
        write_seen(batch.folder, {"pulled_at": NOW.isoformat(), "at": "2026-11-21T02:13:00+00:00", **seen})
        return read_batch(batch.folder, now=NOW, boot_id=BOOT).state

    assert state(is_alive=True) == "running"
    assert state(is_alive=False) == "interrupted"
    assert state(is_alive=None) == "interrupted"
    (batch.folder / "runner.json").write_text(
        json.dumps({"pid": 1, "boot_id": "there", "heartbeat_at": "2026-11-21T02:12:30+00:00"})
    )
    assert state(is_alive=None) == "running"
    assert state(is_alive=None, at="2026-11-21T02:20:00+00:00") == "interrupted"
    assert look_at_runner(str(batch.folder), now=NOW, boot_id=BOOT).seen_at == NOW.isoformat()


def test_requests_are_counted_where_the_runner_is(batch: BatchFolder) -> None:
    (batch.folder / "requests").mkdir()
    (batch.folder / "requests" / "1.json").write_text("{}")
    here = count_requests(str(batch.folder))
    write_seen(batch.folder, {"requests": 0})

    assert (here, count_requests(str(batch.folder))) == (1, 0)


def facts(content: bytes) -> list[Any]:
    return [len(content), hashlib.sha256(content).hexdigest()]


def test_what_is_home_is_told_by_the_hash_that_the_runner_wrote_down(batch: BatchFolder) -> None:
    run = batch.folder / "runs" / "r"
    run.mkdir(parents=True)
    digest = hashlib.sha256(b"theirs").hexdigest()
    for name, content in {"good": b"good", "other": b"other", "mine": b"mine"}.items():
        (run / name).write_bytes(content)
    (run / f"mine.remote-{digest[:8]}").write_bytes(b"theirs")
    files = {
        "good": facts(b"good"),
        "other": facts(b"changed"),
        "mine": facts(b"theirs"),
        "gone": facts(b"gone"),
        "../../x": facts(b"x"),
        "odd": "no facts",
    }
    lines = [
        {"event": "ended", "run": "again", "files": {"a": facts(b"")}},
        {"event": "requeued", "run": "again"},
        {"event": "batch_started"},
        {"event": "ended", "run": "r", "files": files},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\n{torn"
    (batch.folder / "events.jsonl").write_text(text)

    left = read_left(batch.folder)

    assert list(left) == ["r"]
    assert {(each.path, each.reason) for each in find_missing(batch.folder, "r", left["r"])} == {
        ("runs/r/other", "at home it is not what the run left"),
        ("runs/r/gone", "it is not at home"),
        ("runs/r/../../x", "no name of a result"),
        ("runs/r/odd", "it is not at home"),
    }


def test_two_do_not_pull_the_same_batch_at_once(batch: BatchFolder) -> None:
    from launcher.nodes.local import LocalNode
    from launcher.runner.lock import Lock

    puller = Puller(LocalNode(batch.folder.parent.parent), batch.folder, now=lambda: NOW)
    with Lock(str(batch.folder / ".pull.lock")) as lock:
        assert lock.try_to_take()

        assert puller.pull() is None


def test_a_disk_that_was_cut_off_takes_nothing_from_home(batch: BatchFolder, tmp_path: Path) -> None:
    """Without replay of its journal it may show a file as it was, or another in its place."""
    from launcher.nodes.local import LocalNode

    run, whole = batch.ids[0], {"state.json": b'{"state": "succeeded"}', "log.txt": b"all of it\n"}
    there = tmp_path / "disk" / "batches" / batch.folder.name
    (there / "runs" / run / "state.json").mkdir(parents=True)
    (there / "runs" / run / "log.txt").write_bytes(b"all")
    (there / "runs" / "later").mkdir()
    (there / "runs" / "later" / "log.txt").write_bytes(b"new\n")
    (there / "events.jsonl").write_bytes(b"")
    for name, content in whole.items():
        (batch.run_folder(0) / name).write_bytes(content)
    files = {name: facts(content) for name, content in whole.items()}
    batch.add_events({"event": "ended", "run": run, "files": files})

    puller = Puller(LocalNode(tmp_path / "disk"), batch.folder, now=lambda: NOW, is_disk=True)
    pulled = puller.pull()

    assert pulled is not None
    assert (pulled.is_safe, pulled.ended) == (True, 1)
    assert {name: (batch.run_folder(0) / name).read_bytes() for name in whole} == whole
    assert (batch.folder / "runs" / "later" / "log.txt").read_bytes() == b"new\n"


def test_a_run_that_was_done_again_comes_from_its_disk(batch: BatchFolder, tmp_path: Path) -> None:
    """Home knows of its first end alone; the disk's journal, which comes with the files, of the second."""
    from launcher.nodes.local import LocalNode

    run, log = batch.ids[0], b"again\n"
    ends = [{"event": "ended", "run": run, "files": {"log.txt": facts(each)}} for each in (b"once\n", log)]
    there = tmp_path / "disk" / "batches" / batch.folder.name
    (there / "runs" / run).mkdir(parents=True)
    (there / "runs" / run / "log.txt").write_bytes(log)
    lines = [ends[0], {"event": "requeued", "run": run}, ends[1]]
    (there / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (batch.run_folder(0) / "log.txt").write_bytes(b"once\n")
    (batch.folder / "events.jsonl").write_text(json.dumps(ends[0]) + "\n")

    pulled = Puller(LocalNode(tmp_path / "disk"), batch.folder, now=lambda: NOW, is_disk=True).pull()

    assert pulled is not None
    assert (pulled.is_safe, pulled.ended) == (True, 1)
    assert (batch.run_folder(0) / "log.txt").read_bytes() == log
