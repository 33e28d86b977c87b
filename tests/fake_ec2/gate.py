"""Who may do what, and when: credentials that expire, clocks that are wrong, actions that are denied."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tests.fake_ec2.launches import RefusedError

if TYPE_CHECKING:
    from tests.fake_ec2.call import Call

_PATIENCE_S = 300.0
_EXPIRED = {"ec2": "RequestExpired", "sts": "ExpiredToken", "iam": "ExpiredToken", "s3": "ExpiredToken"}
_DENIED = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "sts": "AccessDenied", "iam": "AccessDenied"}


@dataclass(slots=True)
class Gate:
    """What stands before every call.

    Attributes:
        denied: patterns of actions, as in `ec2:RunInstances` or `ec2:Delete*`.
        expires_at: when all credentials end, epoch seconds.
        wrong_by_s: how far the clock of the client is off.
        secrets: by access key.
    """

    denied: set[str] = field(default_factory=set)
    expires_at: float | None = None
    wrong_by_s: float = 0.0
    secrets: dict[str, str] = field(default_factory=lambda: {"testing": "testing"})

    def check(self, call: Call, *, now: float, real_now: float) -> None:
        """Let a call pass.

        Raises:
            RefusedError: it may not.
        """
        if call.access_key and call.access_key not in self.secrets:
            raise RefusedError(
                "AuthFailure", "AWS was not able to validate the provided access credentials", status=401
            )
        if self.expires_at is not None and now >= self.expires_at:
            code = _EXPIRED.get(call.service, "ExpiredTokenException")
            raise RefusedError(code, "The security token included in the request is expired")
        self._check_clock(call, real_now)
        if any(fnmatchcase(call.name, pattern) for pattern in self.denied):
            code = _DENIED.get(call.service, "AccessDeniedException")
            raise RefusedError(
                code, f"You are not authorized to perform this operation: {call.name}.", status=403
            )

    def _check_clock(self, call: Call, real_now: float) -> None:
        if call.signed_at is None:
            return
        if abs(call.signed_at.timestamp() + self.wrong_by_s - real_now) > _PATIENCE_S:
            raise RefusedError(
                "RequestExpired" if call.service != "ec2" else "InvalidSecurity.RequestHasExpired",
                "Request has expired.",
            )
