"""launcher plan --on ec2: what could be rented, for how much, and why not; with AWS and without."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.kit import Project
    from tests.fake_ec2 import FakeEc2


def lines_of(page: str) -> list[list[str]]:
    return [line.split() for line in page.splitlines()]


def test_offers_stand_with_price_ceiling_and_reason(project: Project, fake_ec2: FakeEc2) -> None:
    job = project.job(needs={"gpus": 1}, limits={"batch": "9h"})

    page = project.good("plan", job, "--on", "ec2", env=fake_ec2.environ())

    rows = lines_of(page)
    first = next(row for row in rows if row and row[0] == "g6.xlarge")
    assert first[:5] == ["g6.xlarge", "us-west-2a,b,c,d", "on-demand", "$0.8048/h", "1"]
    text = " ".join(page.split())
    assert "at most $7.59 in 9h15m" in text
    assert "choice 2 of 4" in text
    assert "not p3.2xlarge" in text
    assert "retired by AWS; nearest: g6.2xlarge, g5.2xlarge, g4dn.2xlarge" in text
    assert "prices: AWS, 20" in text
    assert fake_ec2.alive() == []


def test_scripts_read_offers_and_refusals(project: Project, fake_ec2: FakeEc2) -> None:
    job = project.job(needs={"gpus": 1}, machine={"spot": True, "types": ["p3.2xlarge", "g6.xlarge"]})

    plan = json.loads(project.good("plan", job, "--on", "ec2", "--json", env=fake_ec2.environ()))

    assert plan["limits"] == {"batch_s": 43200.0, "usd": None}
    assert [offer["market"] for offer in plan["offers"]] == ["spot"] * 4 + ["on-demand"] * 4
    assert plan["offers"][0]["type"] == "g6.xlarge"
    assert plan["offers"][0]["price_usd_per_hour"] == 0.33
    assert plan["offers"][0]["ceiling_usd"] == pytest.approx(0.346 * 12.25, abs=0.05)
    assert [refusal["type"] for refusal in plan["refused"]] == ["p3.2xlarge"]


def test_money_is_turned_into_time(project: Project, fake_ec2: FakeEc2) -> None:
    job = project.job(needs={"gpus": 1}, limits={"usd": 2})

    page = project.good("plan", job, "--on", "ec2", env=fake_ec2.environ())

    text = " ".join(page.split())
    assert "at most $2.00 in 2h26m" in text
    assert "it costs $2.00 at most" in text
    poor = project.good("plan", job, "--on", "ec2", "--set", "limits.usd=0.2", env=fake_ec2.environ())
    assert "limits.usd buys no time on it" in " ".join(poor.split())


def test_without_an_account_the_table_answers_and_says_so(project: Project) -> None:
    page = project.good("plan", project.job(needs={"gpus": 1}), "--on", "ec2")

    text = " ".join(page.split())
    assert "g6.xlarge us-west-2 on-demand $0.8048/h 1 L4 at most $10.05 in 12h15m choice 2 of 4" in text
    assert "prices: list price of 2026-07-20, estimate" in text
    assert "AWS was not asked (GetCallerIdentity: there are no credentials for AWS)" in text
    assert "to have AWS asked: run: aws configure" in text


def test_without_a_network_the_table_answers_and_says_so(project: Project) -> None:
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

    started = time.monotonic()
    page = project.good("plan", project.job(needs={"gpus": 1}), "--on", "ec2", env=env)

    text = " ".join(page.split())
    assert "no answer from AWS in us-west-2 (EndpointConnectionError)" in text
    assert "AWS_ENDPOINT_URL" in text
    assert "g5.xlarge" in text
    assert time.monotonic() - started < 60


def test_a_region_without_a_place_is_told_and_the_other_is_offered(
    project: Project, fake_ec2: FakeEc2
) -> None:
    from tests.fake_ec2 import moto_state

    with fake_ec2.lock:
        backend = moto_state.backend("us-west-2")
        for subnet in fake_ec2.subnets().values():
            backend.delete_subnet(subnet)
    job = project.job(needs={"gpus": 1}, machine={"regions": ["us-west-2", "us-east-1"]})

    text = " ".join(project.good("plan", job, "--on", "ec2", env=fake_ec2.environ()).split())

    assert "There is no default VPC with a subnet in us-west-2. Run: aws ec2 create-default-vpc" in text
    assert "g6.xlarge us-east-1" in text


def test_a_job_that_needs_no_gpu_takes_any_machine(project: Project, fake_ec2: FakeEc2) -> None:
    types = {"types": ["t3.micro"]}

    page = project.good("plan", project.job(machine=types), "--on", "ec2", env=fake_ec2.environ())

    assert "2 vCPUs" in page
    gpu = project.job(needs={"gpus": 1}, machine=types)
    page = project.good("plan", gpu, "--on", "ec2", env=fake_ec2.environ())
    assert "machines: none can be had" in page
    assert "it has no GPU, and 1 is needed" in page
    assert "2 vCPUs" in project.good("plan", gpu, "--cpu", "--on", "ec2", env=fake_ec2.environ())


@pytest.mark.parametrize("denied", ["ec2:CreateSecurityGroup", "ec2:DescribeImages"])
def test_what_a_launch_would_be_refused_is_told_before(
    project: Project, fake_ec2: FakeEc2, denied: str
) -> None:
    fake_ec2.gate.denied.add(denied)

    page = project.good("plan", project.job(needs={"gpus": 1}), "--on", "ec2", env=fake_ec2.environ())

    text = " ".join(page.split())
    assert f"a launch would fail: {denied[4:]} in us-west-2: these credentials may not do that" in text
    assert "launcher iam-policy prints what is needed" in text
    assert fake_ec2.instances() == []
