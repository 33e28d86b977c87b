"""launcher doctor: everything that a night needs, in order, each failure with its remedy."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from launcher.report.checks import Check, checks_text, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.kit import Project
    from tests.fake_ec2 import FakeEc2

HERE = ["python", "keras", "GPU", "home", "disk"]
THERE = ["credentials", "clock", "subnet", "types", "quota", "price", "image", "group", "launch", "end"]
G = "L-DB2E81BA"


@pytest.fixture
def port() -> Iterator[int]:
    """A port that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def doctor(project: Project, fake: FakeEc2, port: int, **env: str) -> dict[str, dict[str, Any]]:
    words = ("doctor", "--on", "ec2", "--json", "--probe", f"127.0.0.1:{port}")
    page = project.good(*words, env=fake.environ() | {"LAUNCHER_CIDR": "203.0.113.7/32", **env})
    return {check["name"]: check for check in json.loads(page)["checks"]}


def states(found: dict[str, dict[str, Any]], *wanted: str) -> dict[str, str]:
    return {name: check["state"] for name, check in found.items() if check["state"] in wanted}


def test_this_computer_is_checked_without_any_account(project: Project) -> None:
    whole = json.loads(project.good("doctor", "--json"))

    assert whole["ok"]
    assert [check["name"] for check in whole["checks"]] == HERE
    assert "Everything is in order." in project.good("doctor")


def test_an_account_in_order_is_told_so(project: Project, fake_ec2: FakeEc2, port: int) -> None:
    fake_ec2.supply.quotas = {G: 8.0, "L-417A185B": 0.0}

    found = doctor(project, fake_ec2, port)

    assert list(found) == [*HERE, *THERE, "address", "port 22"]
    assert states(found, "failed", "warning") == {}
    assert found["types"]["said"] == "g6.xlarge, g5.xlarge, g4dn.xlarge; not in us-west-2: p3.2xlarge"
    assert found["quota"]["said"] == f"8 of 8 vCPUs left ({G})"
    assert found["price"]["said"] == "g6.xlarge $0.8048 an hour (AWS)"
    assert set(states(found, "skipped")) == {"launch", "end"}
    assert not [call for call in fake_ec2.calls if call.action == "RunInstances"]


def test_no_credentials_are_one_failure_and_the_rest_is_left(project: Project) -> None:
    page = project.good("doctor", "--on", "ec2")

    assert "failed   credentials  GetCallerIdentity: there are no credentials for AWS." in page
    assert "-> Run: aws configure" in page
    assert "1 of 16 must be mended, 10 could not be checked." in page


@pytest.mark.parametrize(
    ("denied", "failed"),
    [
        ("ec2:CreateSecurityGroup", {"group"}),
        ("ec2:DescribeSubnets", {"subnet", "price", "image", "group", "launch"}),
        ("ec2:DescribeImages", {"image", "launch"}),
        ("ec2:DescribeInstanceTypeOfferings", {"types", "price", "image", "group", "launch"}),
    ],
)
def test_what_is_denied_is_named_with_the_policy_as_remedy(
    project: Project, fake_ec2: FakeEc2, port: int, denied: str, failed: set[str]
) -> None:
    fake_ec2.gate.denied.add(denied)

    found = doctor(project, fake_ec2, port)

    assert set(states(found, "failed")) == failed
    assert any("launcher iam-policy" in found[name]["fix"] for name in failed)


def test_a_launch_is_tried_without_buying(project: Project, fake_ec2: FakeEc2, port: int, cloud: Any) -> None:
    from launcher.aws.security import ensure_group

    vpc = cloud.call("ec2", "DescribeSubnets")["Subnets"][0]["VpcId"]
    ensure_group(cloud, vpc=vpc, cidr="203.0.113.7/32", owner="x", client="y")

    assert doctor(project, fake_ec2, port)["launch"]["state"] == "ok"
    fake_ec2.gate.denied.add("ec2:RunInstances")
    assert doctor(project, fake_ec2, port)["launch"]["state"] == "failed"
    assert fake_ec2.instances() == []


def test_a_quota_of_nothing_is_told_with_the_page_to_raise_it(
    project: Project, fake_ec2: FakeEc2, port: int
) -> None:
    fake_ec2.supply.quotas = {G: 0.0, "L-417A185B": 0.0}

    found = doctor(project, fake_ec2, port)

    assert found["quota"]["state"] == "failed"
    assert f"servicequotas/home/services/ec2/quotas/{G}" in found["quota"]["fix"]


def test_a_network_that_lets_no_ssh_out_is_told(project: Project, fake_ec2: FakeEc2) -> None:
    found = doctor(project, fake_ec2, 9)

    assert found["port 22"]["state"] == "failed"
    assert "127.0.0.1:9 can't be reached" in found["port 22"]["said"]


def test_a_probe_must_be_host_and_port(project: Project) -> None:
    done = project.launcher("doctor", "--on", "ec2", "--probe", "github.com")

    assert (done.code, "--probe github.com" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["ok", "ok"], "Everything is in order."),
        (["ok", "warning"], "Nothing stands in the way."),
        (["failed", "ok", "skipped"], "1 of 3 must be mended, 1 could not be checked."),
        (["failed", "failed"], "2 of 2 must be mended."),
    ],
)
def test_the_verdict_is_a_line(kinds: list[Any], expected: str) -> None:
    assert verdict([Check("x", kind, "said") for kind in kinds]) == expected


def test_what_stands_in_checks_does_nothing_to_a_terminal() -> None:
    assert "\x1b" not in checks_text([Check("x", "failed", "\x1b[2Jsaid", "\x1b[1mdo")])
