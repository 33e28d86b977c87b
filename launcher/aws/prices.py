"""What machines cost today: on demand by the Pricing API, spot by its history. Only reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launcher.aws.catalogue import Price

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from launcher.aws.cloud import Cloud

_PRICING_REGION = "us-east-1"  # one of the three that answer
_ON_DEMAND_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


def read_list_prices(cloud: Cloud, names: Sequence[str]) -> dict[str, Price]:
    """Return today's prices on demand in the cloud's region, by type; without those that AWS doesn't sell.

    Raises:
        AwsError: the prices may not be read, or nobody answered.
    """
    fixed = [_filter("TERM_MATCH", name, value) for name, value in _ON_DEMAND_LINUX.items()]
    region = _filter("TERM_MATCH", "regionCode", cloud.region)
    types = _filter("ANY_OF", "instanceType", ",".join(names))
    # Asked once: where there is no answer the table has one.
    answer = cloud.in_region(_PRICING_REGION).call_once(
        "pricing", "GetProducts", ServiceCode="AmazonEC2", Filters=[*fixed, region, types], MaxResults=100
    )
    today = cloud.clock().date().isoformat()
    found = (json.loads(text) for text in answer.get("PriceList", ()))
    prices = {_type_of(product): max(_dollars(product), default=0.0) for product in found}
    return {name: Price(usd, today, is_estimate=False) for name, usd in prices.items() if usd > 0}


def read_spot_prices(cloud: Cloud, names: Sequence[str]) -> dict[tuple[str, str], Price]:
    """Return the spot prices of this moment, by type and zone.

    Raises:
        AwsError: they may not be read.
    """
    now = cloud.clock()
    pages = cloud.pages(
        "ec2",
        "DescribeSpotPriceHistory",
        InstanceTypes=list(names),
        ProductDescriptions=["Linux/UNIX"],
        StartTime=now,  # the answer is then the last change before it
    )
    return {
        (row["InstanceType"], row["AvailabilityZone"]): Price(
            float(row["SpotPrice"]), now.date().isoformat(), is_estimate=False
        )
        for page in pages
        for row in page["SpotPriceHistory"]
    }


def _filter(kind: str, field: str, value: str) -> Mapping[str, str]:
    return {"Type": kind, "Field": field, "Value": value}


def _type_of(product: Mapping[str, Any]) -> str:
    return str(product["product"]["attributes"]["instanceType"])


def _dollars(product: Mapping[str, Any]) -> Iterator[float]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            yield float(dimension["pricePerUnit"].get("USD", 0))
