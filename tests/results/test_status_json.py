"""`status --json` is a stable interface."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from launcher.results.batch import read_batch
from launcher.results.metrics import read_metrics
from launcher.results.status import status_json
from tests.batch_factory import BOOT, NOW, BatchFolder, Job, history, metrics

if TYPE_CHECKING:
    from pathlib import Path

RUN_KEYS = [
    *("id", "job", "params", "seed", "fold", "state", "exit_code"),
    *("attempts", "epochs", "started_at", "ended_at", "reason", "metrics"),
]


def test_the_keys_are_those_of_the_design(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(folds=2)])

    found = status_json(read_batch(batch.folder, now=NOW, boot_id=BOOT), now=NOW)

    assert list(found) == ["batch", "state", "on", "runs", "machine", "cost_usd"]
    assert list(found["runs"][0]) == RUN_KEYS
    assert (found["machine"], found["cost_usd"], found["on"]) == (None, 0.0, "local")


def test_a_finished_run_has_its_epochs_and_metrics(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job(folds=2)])
    batch.set_state(0, "succeeded")
    batch.set_history(0, history(3))
    batch.set_metrics(0, metrics(0.75))

    runs = status_json(read_batch(batch.folder, now=NOW, boot_id=BOOT), now=NOW)["runs"]

    assert runs[0]["epochs"] == 3
    assert runs[0]["metrics"]["last"] == {"loss": 0.25, "val_accuracy": 0.75}
    assert runs[0]["params"] == {"epochs": 4, "fold": 0, "folds": 2}
    assert (runs[1]["state"], runs[1]["epochs"], runs[1]["metrics"]) == ("queued", 0, None)
    assert (runs[1]["attempts"], runs[1]["started_at"]) == (0, None)


def test_it_is_valid_json_whatever_the_metrics_hold(tmp_path: Path) -> None:
    batch = BatchFolder(tmp_path / "b", [Job()])
    folder = batch.set_state(0, "succeeded")
    (folder / "metrics.json").write_text('{"last": {"loss": NaN, "a": 1e999, "b": -Infinity, "c": 1.5}}')

    text = json.dumps(status_json(read_batch(batch.folder, now=NOW, boot_id=BOOT), now=NOW), allow_nan=False)

    assert json.loads(text)["runs"][0]["metrics"]["last"] == {"loss": None, "a": None, "b": None, "c": 1.5}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_metrics_that_cannot_be_read_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.json").write_bytes(content)

    assert read_metrics(tmp_path) is None
    assert read_metrics(tmp_path / "absent") is None
