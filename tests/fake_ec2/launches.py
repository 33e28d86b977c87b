"""What AWS looks at before it launches: user-data, zone, capacity, quota; and the token of a launch."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fake_ec2 import moto_state as moto

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fake_ec2.call import Call

_USER_DATA_MOST = 16384
_FAMILIES = {"p": "P", "g": "G", "vt": "G"}
_CODES = {
    ("P", "on-demand"): "L-417A185B",
    ("G", "on-demand"): "L-DB2E81BA",
    ("standard", "on-demand"): "L-1216C47A",
    ("G", "spot"): "L-3819A6DF",
    ("P", "spot"): "L-7212CCBC",
    ("standard", "spot"): "L-34B43A08",
}


class RefusedError(Exception):
    """AWS says no."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass(slots=True)
class Supply:
    """What can be had.

    Attributes:
        none_of: pairs of type and zone of which there is no capacity; `*` stands for any.
        quotas: virtual CPUs by quota code; a code that is missing is unlimited.
        has_spot_role: whether the account has used spot before.
    """

    none_of: set[tuple[str, str]] = field(default_factory=set)
    quotas: dict[str, float] = field(default_factory=dict)
    has_spot_role: bool = True


class Tokens:
    """The answers that were given, by token; a token counts once a zone where a zone is named."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], tuple[dict[str, Any], tuple[int, str, bytes]]] = {}

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def find(self, call: Call) -> tuple[int, str, bytes] | None:
        """Return the answer that this very launch got before.

        Raises:
            RefusedError: the token was used for another launch, or what it launched has ended.
        """
        token = call.params.get("ClientToken")
        known = self._answers.get((str(token), place_of(call))) if token else None
        if known is None:
            return None
        params, answer = known
        if params != call.params:
            raise RefusedError(
                "IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent."
            )
        if _has_ended(instance_ids(answer[2])):
            raise RefusedError("IdempotentInstanceTerminated", "The instance of this token has terminated.")
        return answer

    def keep(self, call: Call, answer: tuple[int, str, bytes]) -> None:
        """Remember an answer."""
        if token := call.params.get("ClientToken"):
            self._answers[str(token), place_of(call)] = (dict(call.params), answer)


def check_launch(call: Call, supply: Supply) -> None:
    """Look at a launch as AWS does, where moto does not.

    Raises:
        RefusedError: it is not to be.
    """
    _check_user_data(str(call.params.get("UserData", "")))
    instance_type, zone, market = str(call.params.get("InstanceType")), zone_of(call), market_of(call)
    if (
        zone
        and moto.vcpus(instance_type)
        and not moto.is_offered(instance_type, region=call.region, zone=zone)
    ):
        raise RefusedError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested Availability "
            f"Zone ({zone}).",
        )
    if market == "spot" and not supply.has_spot_role:
        raise RefusedError(
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted", "No role for spot.", status=403
        )
    _check_quota(call, instance_type, market, supply)
    if _lacks(supply, instance_type, zone):
        raise RefusedError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you "
            f"requested ({zone}).",
            status=500,
        )


def market_of(call: Call) -> str:
    """Return `spot` or `on-demand`."""
    return str(call.params.get("InstanceMarketOptions.MarketType", "on-demand"))


def quota_code(instance_type: str, market: str) -> str:
    """Return the code of the quota that a type counts against."""
    letters = re.match(r"[a-z]+", instance_type)
    return _CODES[_FAMILIES.get(letters[0] if letters else "", "standard"), market]


def place_of(call: Call) -> str:
    """Return the zone that a launch names, else its region."""
    return zone_of(call) or call.region


def zone_of(call: Call) -> str | None:
    """Return the zone that a launch names, itself or by a subnet."""
    subnet = call.params.get("SubnetId") or call.params.get("NetworkInterface.1.SubnetId")
    if subnet:
        return next((s.availability_zone for s in _subnets(call.region) if s.id == subnet), None)
    return call.params.get("Placement.AvailabilityZone")


def instance_ids(answer: bytes) -> list[str]:
    """Return the ids of the instances in an answer."""
    return re.findall(r"<instanceId>(i-[0-9a-f]+)</instanceId>", answer.decode())


def _subnets(region: str) -> Iterable[Any]:
    return (subnet for zone in moto.backend(region).subnets.values() for subnet in zone.values())


def _has_ended(ids: list[str]) -> bool:
    alive = {
        each.id for each in moto.all_instances() if each._state.name not in ("shutting-down", "terminated")
    }
    return not alive.intersection(ids)


def _check_user_data(encoded: str) -> None:
    try:
        size = len(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        raise RefusedError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None
    if size > _USER_DATA_MOST:
        raise RefusedError("InvalidParameterValue", f"User data is limited to {_USER_DATA_MOST} bytes")


def _check_quota(call: Call, instance_type: str, market: str, supply: Supply) -> None:
    code = quota_code(instance_type, market)
    if code not in supply.quotas:
        return
    used = sum(
        moto.vcpus(each.instance_type)
        for each in moto.all_instances()
        if each.region_name == call.region
        and each._state.name in ("pending", "running")
        and quota_code(each.instance_type, each.lifecycle or "on-demand") == code
    )
    if used + moto.vcpus(instance_type) > supply.quotas[code]:
        name = "MaxSpotInstanceCountExceeded" if market == "spot" else "VcpuLimitExceeded"
        raise RefusedError(
            name,
            f"You have requested more vCPU capacity than your current vCPU limit of {supply.quotas[code]:g} "
            "allows for the instance bucket that the specified instance type belongs to.",
        )


def _lacks(supply: Supply, instance_type: str, zone: str | None) -> bool:
    kinds, zones = (instance_type, "*"), (zone or "*", "*")
    return any((kind, place) in supply.none_of for kind in kinds for place in zones)
