"""Whatever happens to a launch, afterwards a batch has at most one machine, and none was bought twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from launcher.aws.intent import CLOSED, intent_of
from launcher.aws.settle import abandon
from launcher.errors import AlreadyRentedError, LauncherError, LaunchError
from tests.aws.kit import BATCH, offers, try_launch
from tests.fake_ec2 import Fault, seeds

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2
    from tests.fake_ec2.call import Call

PROGRAM = str(Path(__file__).with_name("launching.py"))
PATIENCE_S = 120


def start_client(fake: FakeEc2, home: Path, *, nonce: str = "") -> subprocess.Popen[str]:
    work = {
        "batch": BATCH,
        "home": str(home),
        "image": seeds.image_id("us-west-2"),
        "group": fake.default_group(),
        "offers": [asdict(offer) for offer in offers(fake)],
        "nonce": nonce,
    }
    return subprocess.Popen(
        [sys.executable, PROGRAM, json.dumps(work)],
        stdout=subprocess.PIPE,
        env={**os.environ, **fake.environ()},
        text=True,
    )


def bought(fake: FakeEc2) -> set[str]:
    """Return the ids of all machines that were ever launched."""
    return {each.id for each in fake.instances()}


# Kill -9


STEPS = [
    (number, action, moment)
    for number, action in (
        (0, "DescribeInstances"),
        (0, "RunInstances"),
        (1, "DescribeInstances"),
        (2, "DescribeInstances"),
    )
    for moment in ("before", "after")
]


@pytest.mark.parametrize(("number", "action", "moment"), STEPS)
def test_a_client_killed_at_any_step_leaves_one_machine_for_the_next(
    fake_ec2: FakeEc2, cloud: Cloud, tmp_path: Path, number: int, action: str, moment: str
) -> None:
    seen = 0

    def watch(call: Call, now: str) -> None:
        nonlocal seen
        if (call.action, now) == (action, moment):
            if seen == number:
                client.kill()
                client.wait()
            seen += 1

    client = start_client(fake_ec2, tmp_path)
    fake_ec2.watch = watch
    client.communicate(timeout=PATIENCE_S)
    fake_ec2.watch = None
    assert client.returncode == -signal.SIGKILL

    machine = try_launch(fake_ec2, cloud, tmp_path)

    assert bought(fake_ec2) == {machine.id}
    assert [each.id for each in fake_ec2.alive()] == [machine.id]
    assert abandon(cloud.in_region, intent_of(tmp_path, BATCH), why="test") == ()
    assert not fake_ec2.alive()


def test_two_computers_that_launch_at_the_same_time_buy_one_machine(
    fake_ec2: FakeEc2, tmp_path: Path
) -> None:
    fake_ec2.timing.boot_s = 0.5
    clients = [start_client(fake_ec2, tmp_path / name, nonce=name) for name in ("here", "there")]

    said = [client.communicate(timeout=PATIENCE_S)[0].strip() for client in clients]

    (alive,) = fake_ec2.alive()
    assert sorted(said) == sorted(["AlreadyRentedError", alive.id])


def test_two_clients_of_one_computer_do_not_launch_at_once(fake_ec2: FakeEc2, tmp_path: Path) -> None:
    clients = [start_client(fake_ec2, tmp_path) for _ in range(2)]

    said = {client.communicate(timeout=PATIENCE_S)[0].strip() for client in clients}

    (alive,) = fake_ec2.alive()
    assert said <= {"UsageError", alive.id}
    assert alive.id in said


# Any sequence of faults

CODES = {
    "RunInstances": [
        "lost", "Unavailable", "InternalError", "RequestLimitExceeded", "InsufficientInstanceCapacity",
        "VcpuLimitExceeded", "InvalidGroup.NotFound", "UnauthorizedOperation", "ExpiredToken",
        "InvalidParameterCombination",
    ],
    "DescribeInstances": ["lost", "InternalError", "RequestLimitExceeded", "UnauthorizedOperation"],
    "TerminateInstances": ["lost", "InternalError", "UnauthorizedOperation"],
    "DeleteVolume": ["InternalError", "VolumeInUse"],
}  # fmt: skip
UNCLEAR = {"lost", "Unavailable", "InternalError", "RequestLimitExceeded"}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    action = draw(st.sampled_from(sorted(CODES)))
    code = draw(st.sampled_from(CODES[action]))
    # Only an answer that says nothing can come after the work was done.
    after = code in UNCLEAR and draw(st.booleans())
    status = 503 if code in UNCLEAR else 400
    times = draw(st.sampled_from([1, 2, 12]))
    return Fault(action, code, after=after, status=status, times=times, skip=draw(st.integers(0, 2)))


class Interrupted(BaseException):
    """Ctrl-C."""


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
@given(
    planned=st.lists(faults(), max_size=4),
    deaths=st.integers(0, 2),
    timing=st.sampled_from([(0, 0), (30, 0), (0, 30), (40, 20)]),
    interrupt=st.none() | st.integers(0, 6),
)
def test_no_sequence_of_faults_buys_two_or_leaves_one_unknown(
    fake_ec2: FakeEc2,
    cloud: Cloud,
    planned: list[Fault],
    deaths: int,
    timing: tuple[int, int],
    interrupt: int | None,
) -> None:
    fake_ec2.reset()
    fake_ec2.timing.boot_s, fake_ec2.timing.hide_s = timing
    fake_ec2.machines.dooms += ["Server.InsufficientInstanceCapacity"] * deaths
    for fault in planned:
        fake_ec2.faults.add(fault)
    with TemporaryDirectory() as folder:
        home = Path(folder)
        got = _try(fake_ec2, cloud, home, interrupt)
        alive = {each.id for each in fake_ec2.alive()}
        assert len(alive) <= 1
        assert got is None or {got} == alive
        fake_ec2.faults.clear()
        fake_ec2.machines.dooms.clear()

        again = _try(fake_ec2, cloud, home, None)

        now = {each.id for each in fake_ec2.alive()}
        assert again is not None
        assert now == {again}
        assert not alive or alive == now or deaths  # one that was about to die is replaced
        assert abandon(cloud.in_region, intent_of(home, BATCH), why="test") == ()
        assert not fake_ec2.alive()
        assert intent_of(home, BATCH).record.state == CLOSED


def _try(fake: FakeEc2, cloud: Cloud, home: Path, interrupt: int | None) -> str | None:
    """Launch; the user may press Ctrl-C in a pause. Returns: the machine's id, if that was told."""
    waits = iter(range(1_000_000))

    def sleep(seconds: float) -> None:
        if next(waits) == interrupt:
            raise Interrupted
        fake.advance(seconds)

    cloud.sleep = sleep
    try:
        return try_launch(fake, cloud, home).id
    except LaunchError:
        assert not fake.alive()
    except AlreadyRentedError as error:
        return error.machine
    except LauncherError:
        pass
    except Interrupted:
        pass
    finally:
        cloud.sleep = fake.advance
    return None
