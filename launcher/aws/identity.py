"""Who we are to AWS, and for how long. Only reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.aws.cloud import Cloud

_ALONE = frozenset({"iam-role", "container-role", "assume-role", "assume-role-with-web-identity"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls.

    Attributes:
        name: the user or the role's session, for the tag launcher:owner.
        method: how boto found the credentials, as "sso" or "env".
        expires_at: when they end for good as far as can be known; None is never, or not known.
        is_temporary: whether they end at some time.
        skew_s: by how much our clock is ahead of AWS'.
    """

    account: str
    arn: str
    name: str
    method: str
    expires_at: datetime | None
    is_temporary: bool
    skew_s: float


def who(cloud: Cloud) -> Identity:
    """Ask AWS who we are, once and without patience: the answer also tells whether anybody is there.

    Raises:
        AwsError: nobody, or not for long: credentials, clock, network.
    """
    answer = cloud.call_once("sts", "GetCallerIdentity")
    now = cloud.clock()
    credentials = cloud.session.get_credentials()
    method = str(getattr(credentials, "method", ""))
    return Identity(
        account=str(answer["Account"]),
        arn=str(answer["Arn"]),
        name=str(answer["Arn"]).rpartition("/")[2].rpartition(":")[2],
        method=method,
        expires_at=_expiry(cloud.session, credentials, method),
        is_temporary=bool(credentials and credentials.token) and method not in _ALONE,
        skew_s=_skew_s(now, answer),
    )


def outlives(identity: Identity, until: datetime) -> bool | None:
    """Return whether credentials last until then, None where that can't be known."""
    if not identity.is_temporary:
        return True
    return identity.expires_at >= until if identity.expires_at else None


def _skew_s(now: datetime, answer: Mapping[str, Any]) -> float:
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return (now - parsedate_to_datetime(date)).total_seconds() if date else 0.0


def _expiry(session: Any, credentials: Any, method: str) -> datetime | None:
    if method == "sso":
        return _sso_expiry(session)
    expires_at = getattr(credentials, "_expiry_time", None)  # boto tells it nowhere else
    return expires_at.astimezone(UTC) if isinstance(expires_at, datetime) else None


def _sso_expiry(session: Any) -> datetime | None:
    """Return when the login ends; what it gives is renewed until then."""
    try:
        profile = session._session.get_scoped_config()  # noqa: SLF001 - boto has no public way
    except BotoCoreError:
        return None
    key = profile.get("sso_session") or profile.get("sso_start_url")
    if not key:
        return None
    cache = Path.home() / ".aws" / "sso" / "cache" / f"{sha1(key.encode()).hexdigest()}.json"  # noqa: S324
    try:
        text = str(json.loads(cache.read_text(encoding="utf-8"))["expiresAt"])
        return datetime.fromisoformat(text.replace("UTC", "+00:00"))
    except (OSError, ValueError, KeyError):
        return None
