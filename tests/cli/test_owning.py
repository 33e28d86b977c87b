"""`launcher ps` and `launcher reap`, the real command line against the account that stands in for AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws.regions import remember_region
from tests.aws.kit import BATCH, try_launch

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine
    from tests.cli.kit import Done, Project
    from tests.fake_ec2 import FakeEc2

ME = "moto"  # as whom the account knows everybody


@pytest.fixture
def machine(fake_ec2: FakeEc2, cloud: Cloud, project: Project) -> Machine:
    return try_launch(fake_ec2, cloud, project.home, owner=ME)


def run(project: Project, fake: FakeEc2, *words: str, stdin: str = "") -> Done:
    return project.launcher(*words, env=fake.environ(), stdin=stdin)


def run_json(project: Project, fake: FakeEc2, *words: str) -> Any:
    done = run(project, fake, *words, "--json")
    assert done.code == 0, done
    return json.loads(done.out)


def test_ps_lists_price_and_deadline_of_what_is_mine(
    project: Project, fake_ec2: FakeEc2, machine: Machine
) -> None:
    page = run(project, fake_ec2, "ps")
    rows = run_json(project, fake_ec2, "ps")

    assert page.code == 0
    assert machine.id in page.out
    assert page.out.endswith("1 machine, 1 disk: $1.000 an hour.\n")
    assert [row["kind"] for row in rows] == ["machine", "disk"]
    assert rows[0] | {"since": None} == {
        "kind": "machine",
        "id": machine.id,
        "region": "us-west-2",
        "type": "g6.xlarge",
        "market": "on-demand",
        "state": "running",
        "usd_per_hour": 1.0,
        "since": None,
        "deadline": machine.expires_at.isoformat() if machine.expires_at else None,
        "lease": None,
        "batch": BATCH,
        "wrong": None,
        "note": None,
    }


def test_ps_looks_at_every_region_that_was_used(
    project: Project, fake_ec2: FakeEc2, machine: Machine
) -> None:
    remember_region(project.home, "us-east-1")

    run_json(project, fake_ec2, "ps", "--all")

    assert {call.region for call in fake_ec2.calls if call.action == "DescribeVolumes"} == {
        "us-west-2",
        "us-east-1",
    }
    del machine


def test_reap_asks_first_and_ends_what_should_not_be(
    project: Project, fake_ec2: FakeEc2, machine: Machine
) -> None:
    assert "Nothing to end" in run(project, fake_ec2, "reap").err
    no = run(project, fake_ec2, "reap", machine.id, stdin="n\n")
    assert (no.code, len(fake_ec2.alive())) == (0, 1)

    yes = run(project, fake_ec2, "reap", BATCH, stdin="y\n")

    assert (yes.code, yes.out) == (0, "")
    assert f"{machine.id} is gone" in yes.err
    assert not fake_ec2.alive()


def test_reap_in_a_script_says_what_ended_and_what_is_left(
    project: Project, fake_ec2: FakeEc2, machine: Machine
) -> None:
    fake_ec2.gate.denied = {"ec2:TerminateInstances"}

    done = run(project, fake_ec2, "reap", "--yes", "--json", machine.id)

    assert done.code == 1
    assert [row["id"] for row in json.loads(done.out)["left"]] == [machine.id]
    assert f"Still there: {machine.id}" in done.err
    assert "iam-policy" in done.err


def test_reap_does_not_know_what_is_not_mine(project: Project, fake_ec2: FakeEc2) -> None:
    done = run(project, fake_ec2, "reap", "--yes", "i-0123456789abcdef0")

    assert done.code == 2
    assert "launcher ps" in done.err


def test_no_credentials_are_told_in_two_lines(project: Project, fake_ec2: FakeEc2) -> None:
    fake_ec2.gate.expires_at = fake_ec2.now()

    done = run(project, fake_ec2, "ps")

    assert done.code == 3
    assert "expired" in done.err
    assert len(done.err.splitlines()) == 2
