"""What a runner's computer tells of a batch to somebody far away."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from launcher.results.files import parse_time
from tests.runner.kit import FROM_SOURCES, Job, environment

if TYPE_CHECKING:
    from typing import Any

    from tests.runner.kit import Frozen, Home


def look(batch: Frozen) -> dict[str, Any]:
    done = subprocess.run(
        [*FROM_SOURCES, "look", str(batch.folder)], env=environment(), capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert parse_time(found.pop("at")) is not None
    return found


def test_a_look_tells_whether_the_runner_lives_and_what_it_has_to_hear(home: Home) -> None:
    batch = home.freeze(Job("echo up; sleep 600"))
    before = look(batch)
    runner = batch.start()
    batch.wait_for_file("log.txt")
    during = look(batch)
    runner.kill()
    runner.wait()
    batch.request("cancel")
    after = look(batch)
    batch.run()

    assert before == {"is_alive": False, "requests": 0}
    assert during == {"is_alive": True, "requests": 0}
    assert after == {"is_alive": False, "requests": 1}
