"""What is said to be on disk is on disk: a trace of system calls proves order and number of fsyncs."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from launcher.runner.batch import Batch, Outcome
from launcher.runner.disk import Disk, Journal, read_json, read_lines
from launcher.runner.manifest import write_manifest
from launcher.runner.states import States
from tests.runner.kit import FROM_SOURCES, Job, hash_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.kit import Frozen, Home


def traced(batch: Frozen, trace: Path) -> list[str]:
    """Run a batch. Returns: the runner's own fsyncs and renames, in order, as `verb path`."""
    strace = [
        "strace",
        "-qq",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=fsync,rename,vfork,clone,clone3",
        "-o",
        str(trace),
    ]
    argv = [*strace, *FROM_SOURCES]
    batch.run(command=argv, measured=False)
    calls = []
    for line in trace.read_text().splitlines():
        if line.startswith("fsync"):
            calls.append("fsync " + line[line.index("<") + 1 : line.rindex(">")])
        elif line.startswith("rename"):
            calls.append("rename " + re.findall(r'"([^"]*)"', line)[1])
        elif line.startswith(("vfork", "clone")):
            calls.append("start")
    return [call.replace(str(batch.folder.resolve()) + "/", "") for call in calls]


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux")
def test_a_state_is_flushed_before_it_is_put_in_place_and_its_folder_after(
    home: Home, tmp_path: Path
) -> None:
    batch = home.freeze(Job("echo words; echo result > x"))

    calls = traced(batch, tmp_path / "trace")

    run = f"runs/{batch.ids[0]}"
    flushed = [call for call in calls if run in call or call in ("start", "fsync runs")]
    assert flushed == [
        f"fsync {run}/state.json.new",
        f"rename {run}/state.json",
        "start",
        f"rename {run}/outputs/x",
        f"fsync {run}/run.json",
        f"fsync {run}/params.json",
        f"fsync {run}/log.txt",
        f"fsync {run}/outputs/x",
        f"fsync {run}/outputs",
        f"fsync {run}/state.json.new",
        f"rename {run}/state.json",
        f"fsync {run}",
        "fsync runs",
    ]
    assert "fsync manifest.json.new" in calls
    assert calls.index("fsync manifest.json.new") < calls.index("rename manifest.json")


@pytest.mark.root
@pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux")
def test_the_journal_tells_how_many_fsyncs_there_were(home: Home, tmp_path: Path) -> None:
    batch = home.freeze(Job(runs=3))

    calls = traced(batch, tmp_path / "trace")

    states = [
        call for call in calls if call.startswith("fsync") and ("runs" in call or call.endswith("otter"))
    ]
    (ended,) = batch.events("batch_ended")
    assert ended["fsyncs"] == len(states)
    assert 0 < ended["fsync_s"] < 60


def test_the_manifest_is_what_is_there(home: Home) -> None:
    batch = home.freeze(
        Job(
            "echo words; echo result > 'a \"b'; echo x > ../history.csv; echo {} > ../metrics.json",
            name="a",
        ),
        Job("exit 1", name="b", retries=1),
        Job("sleep 600", name="c", run_s=0.2),
    )
    batch.run()
    batch.request("cancel", batch.ids[1])
    batch.request("resume", batch.ids[1], "--failed")

    batch.run()

    assert batch.manifest() == reality(batch)


def reality(batch: Frozen) -> dict[str, tuple[int, str]]:
    return {
        path.relative_to(batch.folder).as_posix(): hash_of(path.read_bytes())
        for path in batch.folder.glob("runs/**/*")
        if path.is_file()
    }


@pytest.mark.parametrize("damage", ["torn", "gone", "not json", "half"])
def test_a_damaged_journal_does_not_spoil_the_manifest(home: Home, damage: str) -> None:
    batch = home.freeze(Job("echo $LAUNCHER_RUN", runs=2))
    batch.run()
    journal = batch.folder / "events.jsonl"
    content = journal.read_bytes()
    torn = {
        "torn": content[:-7],
        "gone": b"",
        "not json": b'12\n"x"\n\xff\n',
        "half": content[: len(content) // 2],
    }
    journal.write_bytes(torn[damage])

    batch.run()

    assert batch.states() == ["succeeded"] * 2
    assert batch.manifest() == reality(batch)


def test_a_manifest_never_tells_of_an_earlier_attempt(home: Home) -> None:
    batch = home.freeze(Job("exit 1"))
    batch.run()
    journal = batch.folder / "events.jsonl"
    before = journal.read_bytes()
    batch.request("resume", "--failed")
    batch.run()
    journal.write_bytes(before)  # as if a full disk had refused every line since

    batch.run()

    assert batch.manifest() == reality(batch)


def a_state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    disk = Disk(str(tmp_path / "ballast"))
    disk.replace(str(a_state(tmp_path)), b"old")
    (tmp_path / "state.json.new").mkdir()

    with pytest.raises(IsADirectoryError):
        disk.replace(str(a_state(tmp_path)), b"new")

    assert a_state(tmp_path).read_bytes() == b"old"
    assert disk.fsyncs == 1


def test_the_ballast_is_given_up_once(tmp_path: Path) -> None:
    disk = Disk(str(tmp_path / "ballast"))
    disk.take_ballast()

    assert (tmp_path / "ballast").stat().st_size == 2**20
    assert [disk.drop_ballast(), disk.drop_ballast()] == [True, False]


def test_a_torn_line_never_spoils_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "whole"}\n{"event": "to')
    journal = Journal(str(path))

    journal.append(event="next")
    journal.append(event="last")
    journal.close()

    assert [event["event"] for event in read_lines(str(path))] == ["whole", "next", "last"]


def test_a_journal_on_a_full_disk_is_no_reason_to_stop() -> None:
    journal = Journal("/dev/full")

    journal.append(event="lost")
    journal.append(event="lost too")


class BrokenDisk(Disk):
    """A disk that loses what a run left."""

    def sync(self, path: str) -> None:
        if "outputs" in path:
            raise OSError(5, "Input/output error")
        super().sync(path)


def test_results_that_cannot_be_made_durable_fail_a_success(home: Home) -> None:
    frozen = home.freeze()
    (frozen.run_folder(0) / "outputs").mkdir(parents=True)
    (frozen.run_folder(0) / "outputs" / "model").write_text("weights")
    journal = Journal(str(frozen.folder / "events.jsonl"))
    states = States(Batch(str(frozen.folder)), disk=BrokenDisk(str(frozen.folder / "b")), journal=journal)

    states.finish(0, Outcome("succeeded", 0, None, None))

    journal.close()
    assert (frozen.state()["state"], frozen.state()["exit_code"]) == ("failed", 0)
    assert frozen.reason() == "its results could not be made durable: Input/output error"


@pytest.mark.parametrize("content", [None, b"", b"{torn", b"\xff\xfe"])
def test_what_is_no_json_is_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)

    assert read_json(str(tmp_path / "file")) is None


def test_a_state_that_found_no_room_is_written_when_there_is_some(home: Home) -> None:
    frozen = home.freeze()
    (frozen.folder / "runs").touch()  # in place of the folder: nothing can be written
    batch = Batch(str(frozen.folder))
    journal = Journal(str(frozen.folder / "events.jsonl"))
    (frozen.folder / "runs").unlink()
    states = States(batch, disk=Disk(str(frozen.folder / ".ballast")), journal=journal)
    (frozen.folder / "runs").touch()

    states.finish(0, Outcome("failed", None, None, "the disk is full"))

    assert not states.save_again()
    (frozen.folder / "runs").unlink()
    assert states.save_again()
    assert (frozen.state()["state"], frozen.reason()) == ("failed", "the disk is full")
    write_manifest(batch, states)
    journal.close()
    assert frozen.manifest() == reality(frozen)
    assert json.loads((frozen.folder / "events.jsonl").read_text())["files"] == {}
