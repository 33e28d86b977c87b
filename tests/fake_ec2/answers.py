"""Answers that moto has no idea of: quotas, list prices, spot prices, spot requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fake_ec2 import moto_state as moto
from tests.fake_ec2.launches import RefusedError, Supply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fake_ec2.call import Call

Answer = tuple[int, str, bytes]
_JSON = "application/x-amz-json-1.1"


class Prices:
    """What machines cost, dollars an hour; what is not listed has no price.

    Attributes:
        on_demand: by type.
        spot: by type and zone, `*` for any zone.
    """

    def __init__(self) -> None:
        self.on_demand = {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006, "g6.xlarge": 0.8048, "t3.micro": 0.0104}
        self.spot = {("g4dn.xlarge", "*"): 0.19, ("g5.xlarge", "*"): 0.41, ("g6.xlarge", "*"): 0.33}


def get_quota(call: Call, supply: Supply) -> Answer:
    """Answer GetServiceQuota."""
    code = str(call.params.get("QuotaCode"))
    if code not in supply.quotas:
        raise RefusedError("NoSuchResourceException", "The request failed because the quota does not exist.")
    return _json({"Quota": _quota(code, supply.quotas[code])})


def list_quotas(call: Call, supply: Supply) -> Answer:  # noqa: ARG001 - all answers take the call
    """Answer ListServiceQuotas."""
    return _json({"Quotas": [_quota(code, value) for code, value in supply.quotas.items()]})


def get_products(call: Call, prices: Prices) -> Answer:
    """Answer GetProducts for the types that are asked for, one or several."""
    wanted = {each["Field"]: each["Value"] for each in call.params.get("Filters", ())}
    kinds = [kind for kind in wanted.get("instanceType", "").split(",") if kind in prices.on_demand]
    products = [
        json.dumps(_product(wanted | {"instanceType": kind}, prices.on_demand[kind])) for kind in kinds
    ]
    return _json({"FormatVersion": "aws_v1", "PriceList": products})


def spot_prices(call: Call, prices: Prices) -> Answer:
    """Answer DescribeSpotPriceHistory: the price now, by type and zone."""
    zones = [zone.name for zone in moto.backend(call.region).describe_availability_zones()]
    stamp = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    items = [
        f"<item><instanceType>{kind}</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price:.6f}</spotPrice><timestamp>{stamp}</timestamp>"
        f"<availabilityZone>{zone}</availabilityZone></item>"
        for kind in call.numbered("InstanceType")
        for zone in zones
        if (price := _spot(prices, kind, zone)) and moto.is_offered(kind, region=call.region, zone=zone)
    ]
    return _xml("DescribeSpotPriceHistory", f"<spotPriceHistorySet>{''.join(items)}</spotPriceHistorySet>")


def spot_requests(call: Call) -> Answer:
    """Answer DescribeSpotInstanceRequests, for the requests that launches made."""
    wanted = call.numbered("SpotInstanceRequestId")
    items = [
        f"<item><spotInstanceRequestId>{key}</spotInstanceRequestId><state>{_spot_state(instance)}</state>"
        f"<type>one-time</type><instanceId>{instance.id}</instanceId><tagSet>{_tags(instance)}</tagSet></item>"
        for instance in moto.all_instances()
        if (key := getattr(instance, "spot_instance_request_id", None)) and (not wanted or key in wanted)
    ]
    return _xml(
        "DescribeSpotInstanceRequests", f"<spotInstanceRequestSet>{''.join(items)}</spotInstanceRequestSet>"
    )


def terminating(before: Mapping[str, tuple[str, int]], now: Callable[[str], tuple[str, int]]) -> Answer:
    """Answer TerminateInstances."""
    items = "".join(
        f"<item><instanceId>{key}</instanceId><currentState>{_state(now(key))}</currentState>"
        f"<previousState>{_state(old)}</previousState></item>"
        for key, old in before.items()
    )
    return _xml("TerminateInstances", f"<instancesSet>{items}</instancesSet>")


def _product(attributes: Mapping[str, str], price: float) -> dict[str, object]:
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}}
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes, "sku": "SKU"},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {"SKU.T": {"priceDimensions": {"SKU.T.R": dimension}}}},
        "publicationDate": "2026-11-01T00:00:00Z",
    }


def _quota(code: str, value: float) -> dict[str, object]:
    return {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": code, "Value": value, "Adjustable": True}


def _spot(prices: Prices, kind: str, zone: str) -> float | None:
    return prices.spot.get((kind, zone), prices.spot.get((kind, "*")))


def _spot_state(instance: Any) -> str:
    return "active" if instance._state.name in ("pending", "running") else "closed"


def _tags(instance: Any) -> str:
    return "".join(
        f"<item><key>{tag['key']}</key><value>{tag['value']}</value></item>" for tag in instance.get_tags()
    )


def _state(state: tuple[str, int]) -> str:
    return f"<code>{state[1]}</code><name>{state[0]}</name>"


def _json(value: object) -> Answer:
    return 200, _JSON, json.dumps(value).encode()


def _xml(action: str, inside: str) -> Answer:
    space = "http://ec2.amazonaws.com/doc/2016-11-15/"
    text = f'<{action}Response xmlns="{space}"><requestId>fake</requestId>{inside}</{action}Response>'
    return 200, "text/xml", text.encode()
