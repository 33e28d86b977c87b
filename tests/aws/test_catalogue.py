"""The table of machine types: what can be decided with no network."""

from __future__ import annotations

import pytest

from launcher.aws.catalogue import (
    MachineType,
    extra_usd_per_hour,
    family_of,
    list_price,
    machine_types,
    nearest,
)
from launcher.spec.job import TYPES


def test_the_types_of_a_job_file_stand_in_the_table() -> None:
    assert set(TYPES) <= set(machine_types())
    assert machine_types()["p3.2xlarge"] == MachineType(
        "p3.2xlarge", 1, "V100", 16384, 7.0, 8, 61.0, "P", "retired", 3.06
    )


def test_every_type_counts_against_the_quota_that_its_name_says() -> None:
    assert all(kind.family == family_of(kind.name) for kind in machine_types().values())


@pytest.mark.parametrize(
    ("region", "usd"), [("us-west-2", 0.8048), ("eu-central-1", 1.0068), ("mx-central-1", 1.3682)]
)
def test_a_list_price_is_dated_and_rather_too_high_where_the_region_is_unknown(
    region: str, usd: float
) -> None:
    price = list_price(machine_types()["g6.xlarge"], region)

    assert price is not None
    assert price.usd_per_hour == pytest.approx(usd)
    assert price.source == "list price of 2026-07-20, estimate"


@pytest.mark.parametrize(
    ("retired", "instead"),
    [
        ("p3.2xlarge", ("g6.2xlarge", "g5.2xlarge", "g4dn.2xlarge")),
        ("p3.16xlarge", ("g6.48xlarge", "g5.48xlarge", "g4dn.metal")),
        ("x9.huge", ()),
    ],
)
def test_who_asks_for_a_type_that_is_gone_is_told_of_its_likes(
    retired: str, instead: tuple[str, ...]
) -> None:
    assert nearest(retired) == instead


def test_disk_and_address_cost_too() -> None:
    assert extra_usd_per_hour(100) == pytest.approx(0.016, abs=0.0005)


def test_everything_in_the_table_has_a_shape_and_a_price() -> None:
    for kind in machine_types().values():
        assert kind.vcpus > 0, kind
        assert (kind.gpus > 0) == (kind.gpu_name != "") == (kind.family != "standard"), kind
        assert list_price(kind, "us-east-1"), kind
