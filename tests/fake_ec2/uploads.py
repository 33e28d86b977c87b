"""Presigned POST to S3: the policy is looked at, which moto does not do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from werkzeug.formparser import parse_form_data

from tests.fake_ec2.launches import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FREE = frozenset({"policy", "x-amz-signature", "file"})


def check_upload(environ: Mapping[str, Any], *, bucket: str, secret: str, now: float) -> tuple[str, bytes]:
    """Look at an upload as S3 does. Returns: its key and content.

    Raises:
        RefusedError: it is too late, not what the policy allows, or not signed with the secret.
    """
    _, form, files = parse_form_data(dict(environ), stream_factory=lambda *_, **__: io.BytesIO())
    fields = {key.lower(): value for key, value in form.items()}
    content = files["file"].read() if "file" in files else fields.get("file", "").encode()
    if "policy" not in fields:
        raise RefusedError("AccessDenied", "Access Denied", status=403)
    policy = json.loads(base64.b64decode(fields["policy"]))
    _check_signature(fields, secret)
    if now >= datetime.fromisoformat(policy["expiration"]).timestamp():
        raise RefusedError("AccessDenied", "Invalid according to Policy: Policy expired.", status=403)
    _check_conditions(policy["conditions"], fields | {"bucket": bucket}, size=len(content))
    return fields["key"], content


def _check_signature(fields: Mapping[str, str], secret: str) -> None:
    date, region, service, _ = fields["x-amz-credential"].split("/")[1:]
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, fields.get("x-amz-signature", "")):
        raise RefusedError("SignatureDoesNotMatch", "The signature does not match.", status=403)


def _check_conditions(conditions: list[Any], fields: Mapping[str, str], *, size: int) -> None:
    covered = set()
    for condition in conditions:
        if isinstance(condition, dict):
            ((name, value),) = condition.items()
            condition = ["eq", f"${name}", value]  # noqa: PLW2901 - the long form of the same
        kind, name, value = condition
        if kind == "content-length-range":
            _check_size(size, smallest=int(name), largest=int(value))
            continue
        name = str(name).removeprefix("$").lower()
        covered.add(name)
        given = fields.get(name, "")
        if not (given.startswith(value) if kind == "starts-with" else given == value):
            raise _refused(f'["{kind}", "${name}", "{value}"]')
    if extra := set(fields) - covered - _FREE - {"bucket"}:
        raise _refused(f"Extra input fields: {', '.join(sorted(extra))}")


def _check_size(size: int, *, smallest: int, largest: int) -> None:
    if size > largest:
        raise RefusedError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    if size < smallest:
        raise RefusedError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")


def _refused(condition: str) -> RefusedError:
    message = f"Invalid according to Policy: Policy Condition failed: {condition}"
    return RefusedError("AccessDenied", message, status=403)
