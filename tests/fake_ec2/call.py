"""One request as AWS understands it, and its answer in the language of its service."""

from __future__ import annotations

import io
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

_REST = {
    ("POST", "schedules"): "CreateSchedule",
    ("PUT", "schedules"): "UpdateSchedule",
    ("DELETE", "schedules"): "DeleteSchedule",
    ("GET", "schedules"): "GetSchedule",
}
_IDS = re.compile(r"\b(?:i|vol|sg|subnet|vpc|ami|snap|eni|sir|key|lt|sgr)-[0-9a-f]{8,17}\b")


@dataclass(slots=True)
class Call:
    """A request.

    Attributes:
        params: those of a query service flat, as they are sent (`Filter.1.Name`), of others as JSON.
        resources: ids that are named, with the tags that they had when the call came.
        outcome: `ok`, or the code of the error that was answered.
        is_dry_run: nothing is meant to happen.
    """

    service: str
    action: str
    region: str
    access_key: str
    signed_at: datetime | None
    params: dict[str, Any]
    body: bytes = field(repr=False)
    resources: dict[str, dict[str, str]] = field(default_factory=dict)
    outcome: str = "ok"

    @property
    def name(self) -> str:
        """The action as policies write it."""
        return f"{self.service}:{self.action}"

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is meant to happen."""
        return self.params.get("DryRun") == "true"

    def ids(self) -> tuple[str, ...]:
        """Return the ids of resources that are named anywhere, base64 aside."""
        plain = {key: value for key, value in self.params.items() if key != "UserData"}
        return tuple(dict.fromkeys(_IDS.findall(json.dumps(plain))))

    def numbered(self, prefix: str) -> tuple[str, ...]:
        """Return the values of `prefix.1`, `prefix.2` and so on."""
        pattern = re.compile(rf"{re.escape(prefix)}\.\d+")
        return tuple(str(value) for key, value in self.params.items() if pattern.fullmatch(key))

    def request_tags(self) -> dict[str, dict[str, str]]:
        """Return the tags that are to be given at creation, by the kind of resource."""
        tags: dict[str, dict[str, str]] = {}
        for key, kind in self.params.items():
            if match := re.fullmatch(r"(TagSpecification\.\d+)\.ResourceType", key):
                tags[str(kind)] = _tags(self.params, f"{match[1]}.Tag")
        return tags


def read_call(environ: Mapping[str, Any], body: bytes) -> Call:
    """Read what a request asks."""
    _, date, scope = _authorization(environ)
    key, region, service = scope
    params = _params(environ, body)
    action = _action(environ, service, params)
    return Call(service, action, region, key, date, params, body)


def with_body(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return a request with another body."""
    return environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def error_answer(call: Call, *, status: int, code: str, message: str) -> tuple[int, str, bytes]:
    """Write an error as the service of a call writes it. Returns: status, content type, body."""
    request = str(uuid.uuid4())
    if call.service == "ec2":
        text = (
            f'<?xml version="1.0"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
            f"</Error></Errors><RequestID>{request}</RequestID></Response>"
        )
    elif call.service in ("sts", "iam"):
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request}</RequestId></ErrorResponse>"
        )
    elif call.service == "s3":
        text = (
            f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>"
        )
    else:
        return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    return status, "text/xml", text.encode()


def _authorization(environ: Mapping[str, Any]) -> tuple[str, datetime | None, tuple[str, str, str]]:
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    match = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request", header)
    stamp = environ.get("HTTP_X_AMZ_DATE")
    date = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if stamp else None
    return header, date, (match[1], match[2], match[3]) if match else ("", "us-east-1", "s3")


def _params(environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    kind = str(environ.get("CONTENT_TYPE", ""))
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf8", "replace"), keep_blank_values=True))
    path = {"Path": unquote(str(environ.get("PATH_INFO", "")))}
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    given: dict[str, Any] = json.loads(body) if body[:1] == b"{" else {}
    return path | query | given


def _action(environ: Mapping[str, Any], service: str, params: Mapping[str, Any]) -> str:
    if "Action" in params:
        return str(params["Action"])
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    method, parts = str(environ["REQUEST_METHOD"]), str(params["Path"]).strip("/").split("/")
    if service == "scheduler":
        named = len(parts) > 1
        return _REST.get((method, parts[0]), method) if named else "ListSchedules"
    return _s3_action(method, parts)


def _s3_action(method: str, parts: list[str]) -> str:
    has_key = len(parts) > 1 and bool(parts[1])
    names = {"GET": ("ListBucket", "GetObject"), "PUT": ("CreateBucket", "PutObject")}
    names |= {"DELETE": ("DeleteBucket", "DeleteObject"), "HEAD": ("ListBucket", "GetObject")}
    return names.get(method, ("PostObject", "PutObject"))[has_key]


def _tags(params: Mapping[str, Any], prefix: str) -> dict[str, str]:
    keys = {match[1]: str(value) for key, value in params.items() if (match := _part(key, prefix, "Key"))}
    values = {match[1]: str(value) for key, value in params.items() if (match := _part(key, prefix, "Value"))}
    return {key: values.get(number, "") for number, key in keys.items()}


def _part(key: str, prefix: str, part: str) -> re.Match[str] | None:
    return re.fullmatch(rf"{re.escape(prefix)}\.(\d+)\.{part}", key)
