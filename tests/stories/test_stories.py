"""The stories below the command line, where a real clock or a real accident would take too long."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from launcher.draft import Draft, Wishes, make_draft
from launcher.errors import NodeError, UsageError
from launcher.follow import PlainScreen, follow
from launcher.freeze import freeze, remove_staging, take_away
from launcher.nodes.local import LocalNode
from launcher.nodes.node import Completed
from launcher.results.batch import read_batch
from launcher.settings.home import make_home
from launcher.steer import cancel, install_environment, wait_for_runner
from launcher.submit import submit
from launcher.targets.local import LocalTarget
from tests.batch_factory import BOOT, BatchFolder, Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path, PurePath

NOW = datetime(2026, 11, 21, 2, 13, tzinfo=UTC)


class Clock:
    """Time that passes only by sleeping; things may happen meanwhile."""

    def __init__(self, *events: Any) -> None:
        self.now_s = 0.0
        self.events = list(events)

    def read(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.events:
            self.events.pop(0)()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "a'; echo b" / ".launcher")


@pytest.fixture
def draft(home: Path) -> Draft:
    folder = home.parent / "job"
    folder.mkdir()
    (folder / "data.txt").write_text("data")
    (folder / "job.yaml").write_text("run: 'true'\nneeds: {gpus: 0}\n")
    return make_draft([folder / "job.yaml"], wishes=Wishes(), home=None, target=LocalTarget(home))


def frozen(draft: Draft, home: Path, seed: int = 1) -> Path:
    return freeze(draft, home=home, now=NOW, random=random.Random(seed))


def test_what_ran_before_with_short_epochs_is_advised_to_go_the_fast_way(home: Path, draft: Draft) -> None:
    batch = frozen(draft, home)
    folder = batch / "runs" / draft.plan.runs[0].id
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"state": "succeeded", "attempt": 1}))
    target, files = LocalTarget(home), [home.parent / "job" / "job.yaml"]

    without = make_draft(files, wishes=Wishes(), home=home, target=target)
    (folder / "history.csv").write_text("fit,epoch,attempt,seconds,loss\n0,0,1,0.03,1.0\n")
    advised = make_draft(files, wishes=Wishes(), home=home, target=target)

    assert without.plan.advice == ()
    assert [line.partition(" last")[0] for line in advised.plan.advice] == ["job: its epochs took 30 ms"]


# Freeze


def test_two_batches_that_draw_the_same_words_get_two_names(home: Path, draft: Draft) -> None:
    first, second = frozen(draft, home), frozen(draft, home)

    assert first != second
    assert (first / "code" / "job" / "data.txt").read_text() == "data"
    assert first.name.startswith("20261121-0213-")
    assert list((home / ".staging").iterdir()) == []


def test_a_file_that_was_changed_since_the_plan_stops_the_batch_and_leaves_nothing(
    home: Path, draft: Draft
) -> None:
    (home.parent / "job" / "data.txt").write_text("other")

    with pytest.raises(UsageError):
        frozen(draft, home)

    assert list((home / "batches").iterdir()) == []
    assert list((home / ".staging").iterdir()) == []


def test_a_batch_that_cannot_be_published_is_an_error_and_leaves_nothing(home: Path, draft: Draft) -> None:
    class Vanishing(random.Random):
        def choice(self, seq: Any) -> Any:
            (home / "batches").rmdir()
            (home / "batches").write_text("no folder")
            self.choice = super().choice  # type: ignore[method-assign]
            return super().choice(seq)

    with pytest.raises(OSError, match="batches"):
        freeze(draft, home=home, now=NOW, random=Vanishing())

    assert list((home / ".staging").iterdir()) == []


def test_a_staging_folder_that_was_taken_for_a_leftover_is_made_again(
    home: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    make, made = tempfile.mkdtemp, list[str]()

    def make_and_lose(dir: Path) -> str:  # noqa: A002
        made.append(make(dir=dir))
        if len(made) == 1:
            remove_staging(home)
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)

    assert frozen(draft, home).exists()
    assert len(made) == 2


def test_what_is_taken_away_is_no_batch_any_more(home: Path, draft: Draft) -> None:
    take_away(frozen(draft, home))

    assert list((home / "batches").iterdir()) == []
    assert list((home / ".staging").iterdir()) == []


# Submit


class BrokenTarget(LocalTarget):
    """A computer on which nothing can be installed."""

    def acquire(self, batch: Any, *, offers: Any) -> Any:
        from contextlib import nullcontext

        del batch, offers
        return nullcontext(Answering(self._home, Completed(1, b"", b"ERROR: no such thing\nnotice\n")))


class Answering(LocalNode):
    """A node whose programs all end the same way."""

    def __init__(self, home: Path, answer: Completed) -> None:
        super().__init__(home)
        self._answer = answer

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        del argv, timeout_s, stdin
        return self._answer

    def start(self, argv: Sequence[str], *, log: PurePath) -> None:
        del argv, log


def test_an_environment_that_cannot_be_installed_leaves_no_batch(home: Path, draft: Draft) -> None:
    told: list[str] = []

    with pytest.raises(NodeError, match="installed: no such thing"):
        submit(
            replace(draft, requirements={"ab" * 32: b"tiny"}),
            home=home,
            target=BrokenTarget(home),
            now=NOW,
            random=random.Random(1),
            tell=told.append,
        )

    assert list((home / "batches").iterdir()) == []
    assert len(told) == 1


# Steer


@pytest.mark.parametrize(
    ("answer", "said"),
    [(Completed(1, b"", b""), "no output"), (Completed(2, b"only this\n", b""), "only this")],
)
def test_an_installation_that_says_little_is_told_with_what_it_said(
    home: Path, answer: Completed, said: str
) -> None:
    with pytest.raises(NodeError, match=said):
        install_environment(Answering(home, answer), "batch", sha256="ab" * 32)


@pytest.mark.parametrize(("stderr", "said"), [(b"", "no output"), (b"a\nb is torn\n", "b is torn")])
def test_a_request_that_is_refused_is_told(home: Path, stderr: bytes, said: str) -> None:
    with pytest.raises(NodeError, match=said):
        cancel(Answering(home, Completed(2, b"", stderr)), "batch")


def waited(batch: Path, clock: Clock) -> None:
    wait_for_runner(batch, now=lambda: NOW, clock=clock.read, sleep=clock.sleep, boot_id=BOOT)


@pytest.fixture
def batch(home: Path) -> BatchFolder:
    return BatchFolder(home / "batches" / "20261121-0213-brisk-otter", [Job()])


def test_a_batch_that_no_runner_takes_up_is_an_error_with_the_runners_last_words(batch: BatchFolder) -> None:
    (batch.folder / "runner.log").write_text("Traceback\nMemoryError: none left\n\n")
    clock = Clock()

    with pytest.raises(NodeError, match="brisk-otter: MemoryError: none left"):
        waited(batch.folder, clock)

    assert 30 <= clock.now_s < 31


def test_a_batch_that_no_runner_takes_up_is_an_error_also_where_nothing_was_said(batch: BatchFolder) -> None:
    with pytest.raises(NodeError, match=r"brisk-otter\."):
        waited(batch.folder, Clock())


def test_what_was_asked_must_have_been_done_before_a_state_counts(batch: BatchFolder) -> None:
    batch.set_all("cancelled")
    batch.set_runner()
    request = batch.folder / "requests" / "1.json"
    request.parent.mkdir()
    request.write_text("{}")
    clock = Clock(lambda: None, lambda: batch.set_all("queued", attempt=1), request.unlink)

    waited(batch.folder, clock)

    assert read_batch(batch.folder, now=NOW, boot_id=BOOT).runs[0].state == "queued"


def test_a_living_runner_may_take_its_time(batch: BatchFolder) -> None:
    import fcntl

    batch.set_runner()
    request = batch.folder / "requests" / "1.json"
    request.parent.mkdir()
    request.write_text("{}")
    clock = Clock(*[lambda: None] * 2_000, request.unlink)

    with (batch.folder / "runner.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waited(batch.folder, clock)

    assert clock.now_s > 31


# Follow


def test_following_says_each_change_once_and_ends_with_the_batch(batch: BatchFolder) -> None:
    import fcntl

    lines: list[str] = []
    clock = Clock(
        lambda: batch.set_state(0, "running"), lambda: None, lambda: batch.set_state(0, "succeeded")
    )
    batch.set_runner()

    with (batch.folder / "runner.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clock.events.append(lock.close)
        last = follow(
            batch.folder,
            screen=PlainScreen(lines.append),
            now=lambda: NOW,
            clock=clock.read,
            sleep=clock.sleep,
            boot_id=BOOT,
        )

    assert last.state == "succeeded"
    assert sum("running" in line for line in lines) >= 1
    assert len(lines) == len(set(lines))


def followed(batch: BatchFolder, clock: Clock, *, patience_s: float) -> str:
    """Return the state in which somebody who waits for another runner leaves a batch."""
    return follow(
        batch.folder,
        screen=PlainScreen(lambda _: None),
        now=lambda: NOW,
        clock=clock.read,
        sleep=clock.sleep,
        boot_id=BOOT,
        patience_s=patience_s,
    ).state


def test_a_runner_that_somebody_else_starts_again_is_waited_for(batch: BatchFolder) -> None:
    batch.set_runner()
    batch.set_state(0, "running")
    clock = Clock(lambda: None, lambda: None, lambda: batch.set_all("succeeded"))

    assert followed(batch, clock, patience_s=300.0) == "succeeded"


def test_a_runner_that_nobody_starts_again_is_given_up(batch: BatchFolder) -> None:
    batch.set_runner()
    batch.set_state(0, "running")
    clock = Clock()

    assert followed(batch, clock, patience_s=300.0) == "interrupted"
    assert 300.0 <= clock.now_s < 310.0


def test_a_batch_that_no_runner_takes_up_is_not_waited_for_for_good(batch: BatchFolder) -> None:
    clock = Clock()

    assert followed(batch, clock, patience_s=0.0) == "queued"
    assert 30.0 <= clock.now_s < 32.0
