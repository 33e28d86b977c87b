"""The one door to AWS: clients made when wanted, counted calls, translated errors. Knows no machine."""

from __future__ import annotations

import os
import threading
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from launcher.aws.translate import BOTO_ERRORS, Asked, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DRY_RUN_WORKED = "DryRunOperation"
_CONNECT_S = 10
_READ_S = 30
_ATTEMPTS = 8


class Cloud:
    """A region of AWS, as one account sees it.

    Attributes:
        region: where calls go.
        profile: the user's word for the credentials; None is what boto finds.
        calls: how often each action was asked for, regions made from this one included.
        sleep: waits so many seconds.
        clock: tells the time, UTC.
    """

    def __init__(
        self,
        region: str,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        profile: str | None = None,
    ) -> None:
        self.region = region
        self.profile = profile
        self.sleep = sleep
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self._clients: dict[tuple[str, bool], Any] = {}
        self._lock = threading.RLock()  # making a client is not safe among threads, using one is

    def in_region(self, region: str) -> Cloud:
        """Return the same account in another region."""
        if region == self.region:
            return self
        other = Cloud(region, sleep=self.sleep, clock=self.clock, profile=self.profile)
        other.calls = self.calls
        other.__dict__ |= {key: self.__dict__[key] for key in ("session", "account") if key in self.__dict__}
        return other

    @cached_property
    def account(self) -> str:
        """The number of the account."""
        return str(self.call("sts", "GetCallerIdentity")["Account"])

    @cached_property
    def session(self) -> Any:
        """The session of boto, for what is asked of it beside calls: credentials and presigned forms.

        Raises:
            AwsCredentialsError: there is no such profile.
        """
        try:
            return boto3.Session(profile_name=self.profile, region_name=self.region)
        except BOTO_ERRORS as error:
            raise translate(error, self._asked("Session")) from error

    def call(self, service: str, action: str, **params: Any) -> dict[str, Any]:
        """Ask AWS for something; throttling and passing faults are tried again.

        Returns:
            the answer; an empty one where DryRun=True would have worked.

        Raises:
            AwsError: as the class says.
        """
        return self._call(service, action, params, is_single=False)

    def call_once(self, service: str, action: str, **params: Any) -> dict[str, Any]:
        """Ask AWS exactly once: boto would silently try again where it has no capacity, aws.md."""
        return self._call(service, action, params, is_single=True)

    def pages(self, service: str, action: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield all pages of an answer."""
        try:
            for page in self.client(service).get_paginator(xform_name(action)).paginate(**params):
                self.calls[f"{service}.{action}"] += 1
                yield page
        except BOTO_ERRORS as error:
            raise translate(error, self._asked(action)) from error

    def client(self, service: str, *, is_single: bool = False) -> Any:
        """Return a client, made when first wanted.

        Args:
            is_single: whether it sends each request only once.
        """
        with self._lock:
            key = (service, is_single)
            if key not in self._clients:
                self._clients[key] = self._make_client(service, is_single=is_single)
            return self._clients[key]

    def _make_client(self, service: str, *, is_single: bool) -> Any:

        retries = {"total_max_attempts": 1 if is_single else _ATTEMPTS, "mode": "standard"}
        # By default a form for S3 would still be signed the old way, for the global host.
        s3 = {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}} if service == "s3" else {}
        config = Config(
            region_name=self.region,
            retries=retries,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            user_agent_extra="launcher",
            **s3,
        )
        return self.session.client(service, config=config)

    def _call(self, service: str, action: str, params: dict[str, Any], *, is_single: bool) -> dict[str, Any]:

        self.calls[f"{service}.{action}"] += 1
        try:
            answer: dict[str, Any] = getattr(self.client(service, is_single=is_single), xform_name(action))(
                **params
            )
        except BOTO_ERRORS as error:
            if isinstance(error, ClientError) and _code_of(error) == _DRY_RUN_WORKED:
                return {}
            raise translate(error, self._asked(action)) from error
        return answer

    def _asked(self, action: str) -> Asked:

        profile = self.profile or os.environ.get("AWS_PROFILE")
        return Asked(action, self.region, profile, self.clock())


def _code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
