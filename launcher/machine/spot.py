"""Watch for the notice that a spot machine is taken away, some two minutes before it is.

It only tells the runners, which end their runs with grace; it powers nothing off, so that home has the time
that is left.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from launcher.machine.power import run_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.machine.rules import Rules

_IMDS = "169.254.169.254"
_NOTICE = "/latest/meta-data/spot/instance-action"
_ASK_AGAIN_S = "21600"
_EVERY_S = 5.0  # as AWS advises
_TIMEOUT_S = 2.0
_NOTICE_S = 90.0


def watch(
    rules: Rules,
    *,
    sleep: Callable[[float], None],
    host: str = _IMDS,
    run: Callable[..., object] = run_program,
) -> None:
    """Wait for the notice, pass it on, and be done."""
    while not (notice := read_notice(host)):
        sleep(_EVERY_S)
    grace_s = _NOTICE_S
    run(rules.as_user("interrupt", rules.home, str(grace_s), notice), timeout_s=grace_s + _TIMEOUT_S)


def read_notice(host: str) -> str:
    """Return the notice as AWS words it, empty where there is none or nobody answers."""
    try:
        token = _ask(host, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _ASK_AGAIN_S})
        return _ask(host, "GET", _NOTICE, {"X-aws-ec2-metadata-token": token}) if token else ""
    except (OSError, http.client.HTTPException):
        return ""


def _ask(host: str, method: str, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read(4096).decode("utf-8", "replace")
        return text if answer.status == http.HTTPStatus.OK else ""
    finally:
        connection.close()
