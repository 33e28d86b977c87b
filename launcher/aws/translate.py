"""From what boto says to errors that a user can mend. Decides, does nothing; no boto type gets past it.

The class of an error says what to do with it: the next pool, the same request again, or stop.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from launcher import errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Kind = type[errors.AwsError]
BOTO_ERRORS = (boto.BotoCoreError, boto.ClientError, ResponseParserError)
SKEW_S = 240  # AWS takes five minutes
_SERVER_FAULT = 500


class Asked(NamedTuple):
    """What was asked for, and as whom."""

    action: str
    region: str
    profile: str | None
    now: datetime


_CAPACITY = "another zone, type or market may have one (--wait 30m keeps trying)"
_QUOTAS = "Ask for more: https://console.aws.amazon.com/servicequotas/home/services/ec2/quotas"
_SPOT_ROLE = (
    "An administrator runs once: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
)
_SUBNET = 'Name one: subnet = "subnet-…" in the settings, or run: aws ec2 create-default-vpc'
_POLICY = "Allow it: launcher iam-policy prints what is needed."
_AGAIN = "Try again in some minutes."

# code: kind, what happened, what to do
_CODES: Mapping[str, tuple[Kind, str, str]] = {
    **dict.fromkeys(
        (
            "InsufficientInstanceCapacity",
            "InsufficientCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
            "UnfulfillableCapacity",
            "Unsupported",
            "VolumeTypeNotAvailableInZone",
            "InsufficientVolumeCapacity",
            "InsufficientFreeAddressesInSubnet",
        ),
        (errors.AwsCapacityError, "no such machine is free there now", f"Wait: {_CAPACITY}."),
    ),
    "SpotMaxPriceTooLow": (errors.AwsCapacityError, "spot costs more now", f"Wait: {_CAPACITY}."),
    **dict.fromkeys(
        (
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "MaxSpotInstanceCountExceeded",
            "ResourceLimitExceeded",
            "VolumeLimitExceeded",
        ),
        (errors.AwsQuotaError, "the account's quota is used up", f"{_QUOTAS}."),
    ),
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted": (
        errors.AwsSetupError,
        "this account has never used spot, and the role for it may not be made",
        f"An administrator runs once: {_SPOT_ROLE}",
    ),
    **dict.fromkeys(
        ("VPCIdNotSpecified", "DefaultVpcDoesNotExist", "MissingInput"),
        (errors.AwsSetupError, "the region has no default VPC or subnet", f"{_SUBNET}."),
    ),
    **dict.fromkeys(
        ("OptInRequired", "Blocked", "PendingVerification"),
        (
            errors.AwsSetupError,
            "the account is not ready for this",
            "See https://console.aws.amazon.com/billing; a new account is verified within a day.",
        ),
    ),
    **dict.fromkeys(
        ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedAccess"),
        (errors.AwsDeniedError, "these credentials may not do that", _POLICY),
    ),
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "EC2ThrottledException",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "SlowDown",
        ),
        (errors.AwsThrottledError, "too many requests", _AGAIN),
    ),
    **dict.fromkeys(
        ("InvalidInstanceType", "InvalidInstanceType.NotFound"),
        (
            errors.AwsTypeError,
            "there is no such instance type",
            "Name another: launcher plan shows which there are.",
        ),
    ),
}
_CREDENTIAL_CODES = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK_CODES = {"InvalidSecurity.RequestHasExpired", "RequestTimeTooSkewed"}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_SSO_ERRORS = (
    boto.SSOTokenLoadError,
    boto.UnauthorizedSSOTokenError,
    boto.TokenRetrievalError,
)


def translate(error: Exception, asked: Asked) -> errors.AwsError:
    """Return what an error of boto means.

    Raises:
        Exception: the error itself, where it is a bug of ours and not an answer.
    """
    if isinstance(error, boto.ClientError):
        return _translate_answer(error, asked)
    return _translate_silence(error, asked)


def _translate_answer(error: boto.ClientError, asked: Asked) -> errors.AwsError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = str(error.response.get("Error", {}).get("Message", ""))
    kind, what, todo = _meaning(code, said, error, asked)
    about = f"{asked.action} in {asked.region}"
    return kind(f"{about}: {what.rstrip('.')} ({code}).", todo, code=code, action=asked.action)


def _meaning(code: str, said: str, error: boto.ClientError, asked: Asked) -> tuple[Kind, str, str]:
    if code in _CREDENTIAL_CODES | _EXPIRED_CODES | _CLOCK_CODES:
        return _credentials_meaning(code, error, asked)
    if code in _CODES:
        return _CODES[code]
    return _pattern_meaning(code, said, _status(error))


def _credentials_meaning(code: str, error: boto.ClientError, asked: Asked) -> tuple[Kind, str, str]:
    # EC2 says AuthFailure and RequestExpired of a wrong clock too; the date of its answer tells.
    skew_s = _skew_s(error, asked.now)
    if abs(skew_s) > SKEW_S or code in _CLOCK_CODES:
        by = f"{abs(skew_s) / 60:.0f} minutes {'fast' if skew_s > 0 else 'slow'}"
        what = (
            f"the clock of this computer is {by if abs(skew_s) > SKEW_S else 'wrong by five minutes or more'}"
        )
        return errors.AwsClockError, what, "Set the clock, for example with timedatectl set-ntp true."
    if code in _EXPIRED_CODES:
        return errors.AwsCredentialsError, "the credentials have expired", _renew_any(asked.profile)
    return errors.AwsCredentialsError, "AWS does not know these credentials", _configure(asked.profile)


def _pattern_meaning(code: str, said: str, status: int) -> tuple[Kind, str, str]:
    if code == "InvalidParameterValue" and "InstanceType" in said:
        return _CODES["InvalidInstanceType"]
    if _is_missing(code) and status < _SERVER_FAULT:
        return (
            errors.AwsMissingError,
            said or "there is no such thing",
            "Look at it again with launcher doctor.",
        )
    if code.endswith((".Duplicate", "AlreadyExists", "ConflictException")):
        return errors.AwsDuplicateError, said or "it is there already", "Use what is there."
    if status >= _SERVER_FAULT:
        return errors.AwsUnclearError, "AWS has a fault, and may have done it or not", _AGAIN
    return errors.AwsRefusedError, said or "refused", "See what AWS says; launcher doctor checks the account."


def _is_missing(code: str) -> bool:
    return code.startswith("NoSuch") or code.endswith(("NotFound", "NotFoundException", "Unavailable", "404"))


def _translate_silence(error: Exception, asked: Asked) -> errors.AwsError:
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError, ResponseParserError)):
        return errors.AwsUnclearError(
            f"{asked.action}: no answer from AWS in {asked.region} ({type(error).__name__}).",
            "Look at the network, at AWS_ENDPOINT_URL where it is set, and try again.",
            action=asked.action,
        )
    what, todo = _lack_of(error, asked.profile)
    return errors.AwsCredentialsError(f"{asked.action}: {what.rstrip('.')}.", todo, action=asked.action)


def _lack_of(error: Exception, profile: str | None) -> tuple[str, str]:
    """Return what is missing before anything can be asked for, and where to get it."""
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return "there are no credentials for AWS", _configure(profile)
    if isinstance(error, _SSO_ERRORS):
        return "the SSO login has expired", _renew(profile)
    if isinstance(error, boto.ProfileNotFound):
        todo = "Name one that aws configure list-profiles lists, in AWS_PROFILE or the setting profile."
        return f"there is no AWS profile {profile or 'of that name'}", todo
    if type(error).__name__.startswith("Login"):  # of aws login, which older botos do not know
        return "the login has expired", _renew(profile, command="login")
    if isinstance(error, (boto.CredentialRetrievalError, boto.RefreshWithMFAUnsupportedError)):
        return f"the credentials can't be had: {error}", _renew_any(profile)
    if isinstance(error, (boto.ConfigParseError, boto.InvalidConfigError, boto.ConfigNotFound)):
        return f"the AWS configuration can't be read: {error}", _configure(profile)
    raise error


def _configure(profile: str | None) -> str:
    option = f" --profile {profile}" if profile else ""
    return f"Run: aws configure{option} (or aws configure sso), or set AWS_PROFILE."


def _renew(profile: str | None, *, command: str = "sso login") -> str:
    return f"Run: aws {command} --profile {profile}" if profile else f"Run: aws {command}"


def _renew_any(profile: str | None) -> str:
    return f"{_renew(profile)}, or renew the keys the way you got them."


def _status(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _skew_s(error: boto.ClientError, now: datetime) -> float:
    """Return by how much our clock is ahead of AWS', 0 where the answer has no date."""
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return (now - parsedate_to_datetime(date)).total_seconds() if date else 0.0
    except (TypeError, ValueError):
        return 0.0
