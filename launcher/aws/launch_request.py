"""What is asked of AWS for one machine. Pure: equal input gives equal parameters, byte for byte."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from launcher.aws import tags
from launcher.aws.intent import Attempt
from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from launcher.aws.images import Image
    from launcher.plan.values import Offer

_TOKEN_MOST = 64
_USER_DATA_MOST = 16384
_SPOT = {
    "MarketType": "spot",
    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
}


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """A machine that is wanted, wherever it may be had.

    Attributes:
        image: finds what it starts from, for an offer.
        group: gives the id of the security group, for an offer.
        lifetime_s: for how long it may live at most, for an offer: what a budget buys depends on the price.
        user_data: gives what it is told at its birth, for an offer and its deadline.
        reaper_role: with which EventBridge ends the machine should it not end itself; None is no second line.
        more_tags: beside those that every machine has.
    """

    batch: str
    owner: str
    version: str
    disk_gb: int
    image: Callable[[Offer], Image]
    group: Callable[[Offer], str]
    lifetime_s: Callable[[Offer], float]
    user_data: Callable[[Offer, datetime], bytes]
    more_tags: Mapping[str, str] = field(default_factory=dict)
    key_name: str | None = None
    reaper_role: str | None = None


def make_attempt(request: LaunchRequest, offer: Offer, *, number: int, now: datetime) -> Attempt:
    """Return the next attempt to get a machine, complete as it will be sent.

    Raises:
        UsageError: what the machine is to be told is too long.
        AwsError: image or group can't be had.
    """
    expires_at = (now + timedelta(seconds=request.lifetime_s(offer))).replace(microsecond=0)
    image = request.image(offer)
    user_data = request.user_data(offer, expires_at)
    if len(user_data) > _USER_DATA_MOST:
        raise UsageError(
            f"What the machine is told at its birth takes {len(user_data)} bytes, {_USER_DATA_MOST} at most.",
            "Shorten what the settings add to it.",
        )
    given = tags.machine_tags(
        batch=request.batch,
        owner=request.owner,
        version=request.version,
        market=offer.market,
        usd_per_hour=offer.usd_per_hour,
        expires_at=expires_at,
        more=request.more_tags,
    )
    token = make_token(request.batch, number=number, zone=offer.zone)
    parameters = _parameters(
        request, offer, image=image, user_data=user_data, given=given | {tags.ATTEMPT: token}
    )
    return Attempt(
        number=number,
        token=token,
        region=offer.region,
        zone=offer.zone,
        type=offer.type,
        market=offer.market,
        usd_per_hour=offer.usd_per_hour,
        at=now.isoformat(timespec="seconds"),
        expires_at=expires_at.isoformat(timespec="seconds"),
        parameters=parameters | {"ClientToken": token},
    )


def as_sent(attempt: Attempt) -> dict[str, Any]:
    """Return the parameters of an attempt as they are given to boto, which encodes user-data itself."""
    return attempt.parameters | {"UserData": base64.b64decode(attempt.parameters["UserData"])}


def make_token(batch: str, *, number: int, zone: str) -> str:
    """Return the token of an attempt: the same for every client that makes it, another for every other."""
    token = f"{batch}.{number}.{zone}"
    return token if len(token) <= _TOKEN_MOST else hashlib.sha256(token.encode()).hexdigest()


def _parameters(
    request: LaunchRequest, offer: Offer, *, image: Image, user_data: bytes, given: Mapping[str, str]
) -> dict[str, Any]:
    spot = offer.market == "spot"
    kinds = ("instance", "volume", "network-interface", *(("spot-instances-request",) if spot else ()))
    return {
        "ImageId": image.id,
        "InstanceType": offer.type,
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": base64.b64encode(user_data).decode("ascii"),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "BlockDeviceMappings": [_root(request, image)],
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 1,
        },
        "NetworkInterfaces": [_interface(offer, request.group(offer))],
        "TagSpecifications": tags.for_kinds(given, kinds),
        **({"InstanceMarketOptions": _SPOT} if spot else {}),
        **({"KeyName": request.key_name} if request.key_name else {}),
    }


def _root(request: LaunchRequest, image: Image) -> dict[str, Any]:
    return {
        "DeviceName": image.root_device,
        "Ebs": {
            "VolumeSize": max(request.disk_gb, image.size_gb),
            "VolumeType": "gp3",
            "Encrypted": True,
            "DeleteOnTermination": False,  # it has the results, until they are home
        },
    }


def _interface(offer: Offer, group: str) -> dict[str, Any]:
    return {
        "DeviceIndex": 0,
        "SubnetId": offer.subnet,
        "Groups": [group],
        "AssociatePublicIpAddress": True,
        "DeleteOnTermination": True,
    }
