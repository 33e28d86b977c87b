"""What could be launched: types x zones x subnets, in order, with prices; what can't, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from launcher.aws.offers import OfferTable, find_offers, list_offers
from launcher.aws.places import find_shapes
from launcher.errors import AwsSetupError
from launcher.spec.job import TYPES
from tests.fake_ec2 import moto_state

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from tests.fake_ec2 import FakeEc2

G, G_SPOT = "L-DB2E81BA", "L-3819A6DF"


def pools(table: OfferTable) -> list[tuple[str, str, str]]:
    return [(offer.type, offer.zone[-1], offer.market) for offer in table.offers]


def reasons(table: OfferTable) -> dict[str, str]:
    return {refusal.type: refusal.reason for refusal in table.refused}


def test_types_stand_in_the_jobs_order_and_zones_must_have_a_subnet(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    gone = fake_ec2.subnets()["us-west-2b"]
    cloud.call("ec2", "DeleteSubnet", SubnetId=gone)

    table = find_offers(cloud, TYPES, spot=False, gpus=1)

    assert list(dict.fromkeys(offer.type for offer in table.offers)) == [
        "g6.xlarge",
        "g5.xlarge",
        "g4dn.xlarge",
    ]
    assert {offer.zone for offer in table.offers} <= {"us-west-2a", "us-west-2c", "us-west-2d"}
    first = table.offers[0]
    assert (first.zone, first.market, first.gpus, first.gpu_name, first.vcpus) == (
        "us-west-2a",
        "on-demand",
        1,
        "L4",
        4,
    )
    assert first.subnet == fake_ec2.subnets()["us-west-2a"]
    assert first.vpc.startswith("vpc-")
    assert first.reason == "choice 2 of 4"


def test_a_type_that_aws_no_longer_has_is_named_with_its_likes(cloud: Cloud) -> None:
    table = find_offers(cloud, ["p3.2xlarge", "g6.xlarge"], spot=False)

    assert reasons(table) == {"p3.2xlarge": "retired by AWS; nearest: g6.2xlarge, g5.2xlarge, g4dn.2xlarge"}


def test_todays_price_counts_and_the_table_where_there_is_none(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.prices.on_demand["g6.xlarge"] = 0.9

    by_type = {
        offer.type: offer for offer in find_offers(cloud, ["g6.xlarge", "g6.2xlarge"], spot=False).offers
    }

    assert by_type["g6.xlarge"].price_usd_per_hour == 0.9
    assert by_type["g6.xlarge"].source == "AWS"
    assert by_type["g6.2xlarge"].price_usd_per_hour == 0.9776
    assert by_type["g6.2xlarge"].source == "list price of 2026-07-20, estimate"


def test_spot_stands_before_on_demand_and_the_cheapest_zone_first(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.prices.spot = {("g6.xlarge", "us-west-2c"): 0.3, ("g6.xlarge", "*"): 0.4}

    table = find_offers(cloud, ["g6.xlarge"], spot=True)

    assert pools(table)[0] == ("g6.xlarge", "c", "spot")
    assert [offer.market for offer in table.offers] == ["spot"] * 4 + ["on-demand"] * 4
    assert [offer.price_usd_per_hour for offer in table.offers[:2]] == [0.3, 0.4]


def test_the_zone_that_worked_last_comes_first(cloud: Cloud) -> None:
    table = find_offers(cloud, ["g6.xlarge"], spot=False, prefer_zone="us-west-2d")

    assert [zone for _, zone, _ in pools(table)] == ["d", "a", "b", "c"]
    assert table.offers[0].reason == "choice 1 of 1, where it worked last"


def test_a_quota_that_is_too_small_is_told_with_where_to_raise_it(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.supply.quotas = {G: 6.0, G_SPOT: 0.0}

    table = find_offers(cloud, ["g6.2xlarge", "g6.xlarge"], spot=True)

    assert {(offer.type, offer.market) for offer in table.offers} == {("g6.xlarge", "on-demand")}
    told = [refusal.reason for refusal in table.refused]
    assert (
        f"it takes 8 vCPUs, and the on-demand quota {G} leaves 6 of 6; ask for more: https://us-west-2."
        in told[2]
    )
    assert f"the spot quota {G_SPOT} leaves 0 of 0" in told[0]


def test_what_runs_already_counts_against_the_quota(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    image = cloud.call("ec2", "DescribeImages", Owners=["amazon"])["Images"][0]["ImageId"]
    cloud.call("ec2", "RunInstances", ImageId=image, InstanceType="g6.xlarge", MinCount=1, MaxCount=1)
    fake_ec2.supply.quotas = {G: 6.0}

    assert "leaves 2 of 6" in reasons(find_offers(cloud, ["g6.xlarge"], spot=False))["g6.xlarge"]


def test_a_machine_with_too_few_gpus_is_none(cloud: Cloud) -> None:
    table = find_offers(cloud, ["t3.micro", "g6.xlarge", "g6.12xlarge"], spot=False, gpus=2)

    assert {offer.type for offer in table.offers} == {"g6.12xlarge"}
    assert reasons(table) == {
        "t3.micro": "it has no GPU, and 2 are needed",
        "g6.xlarge": "it has 1 GPU, and 2 are needed",
    }


def test_types_that_the_table_does_not_know_are_looked_up(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    fake_ec2.prices.on_demand["g6f.large"] = 0.202

    table = find_offers(cloud, ["g6f.large", "g5g.xlarge", "c7i.large", "x9.huge"], spot=False, gpus=0.5)

    assert {(offer.type, offer.gpus, offer.gpu_name) for offer in table.offers} == {("g6f.large", 1, "L4")}
    assert reasons(table) == {
        "g5g.xlarge": "it is no x86-64 machine",
        "c7i.large": "it has no GPU, and 0.5 is needed",
        "x9.huge": "there is no such type",
    }
    without_price = find_offers(cloud, ["c7i.large"], spot=False)
    assert reasons(without_price) == {"c7i.large": "what it costs is not known"}


def test_a_subnet_of_the_settings_is_the_only_place(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    subnet = fake_ec2.subnets()["us-west-2c"]

    table = find_offers(cloud, ["g6.xlarge"], spot=False, subnet=subnet)

    assert [(offer.zone, offer.subnet) for offer in table.offers] == [("us-west-2c", subnet)]


def test_zones_without_a_subnet_and_full_subnets_are_told(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    subnet = fake_ec2.subnets()["us-west-2d"]
    with fake_ec2.lock:
        moto_state.backend("us-west-2").get_subnet(subnet)._available_ip_addresses = 0

    table = find_offers(cloud, ["g5.xlarge", "g6.xlarge"], spot=False, subnet=subnet)

    assert table.offers == ()
    assert reasons(table)["g5.xlarge"].endswith("where there is no subnet")
    assert reasons(table)["g6.xlarge"] == f"{subnet} has no free address"


def test_no_default_vpc_is_told_with_its_remedy(cloud: Cloud, fake_ec2: FakeEc2) -> None:
    for subnet in fake_ec2.subnets().values():
        cloud.call("ec2", "DeleteSubnet", SubnetId=subnet)

    with pytest.raises(AwsSetupError) as caught:
        find_offers(cloud, ["g6.xlarge"], spot=False)

    assert "aws ec2 create-default-vpc --region us-west-2" in caught.value.todo


@pytest.mark.parametrize(
    ("denied", "note"),
    [
        ("pricing:GetProducts", "prices are of a list, not of today (GetProducts in us-east-1"),
        ("servicequotas:GetServiceQuota", "the quota of us-west-2 is not known (GetServiceQuota"),
        ("ec2:DescribeSpotPriceHistory", "spot prices are not known (DescribeSpotPriceHistory"),
    ],
)
def test_what_may_not_be_read_is_done_without(
    cloud: Cloud, fake_ec2: FakeEc2, denied: str, note: str
) -> None:
    fake_ec2.gate.denied.add(denied)

    table = find_offers(cloud, ["g6.xlarge"], spot=True)

    assert len(table.offers) == 8
    assert [line for line in table.notes if line.startswith(note)]


def test_the_table_answers_where_nobody_is_asked() -> None:
    table = list_offers("eu-west-1", [*TYPES, "x9.huge"], spot=True, gpus=1, why="no network.")

    assert [(offer.type, offer.zone, offer.market) for offer in table.offers[:3]] == [
        ("g6.xlarge", "", "spot"),
        ("g5.xlarge", "", "spot"),
        ("g4dn.xlarge", "", "spot"),
    ]
    assert len(table.offers) == 6
    assert reasons(table)["x9.huge"] == "the table of types does not have it"
    assert reasons(table)["p3.2xlarge"].startswith("retired by AWS")
    assert table.notes == (
        "AWS was not asked (no network): zones, quota and today's prices in eu-west-1 are not known",
    )


def test_a_whole_look_costs_few_calls(cloud: Cloud) -> None:
    find_offers(cloud, TYPES, spot=True, gpus=1)

    assert sum(cloud.calls.values()) <= 8


def test_shapes_of_known_types_cost_no_call(cloud: Cloud) -> None:
    shapes: dict[str, Any] = dict(find_shapes(cloud, TYPES))

    assert set(shapes) == set(TYPES)
    assert not cloud.calls
