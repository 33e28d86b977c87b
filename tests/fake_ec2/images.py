"""CreateImage, which moto does with tags for the image alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.fake_ec2 import moto_state as moto
from tests.fake_ec2.call import with_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_ec2.answers import Answer
    from tests.fake_ec2.call import Call


def create_image(call: Call, environ: dict[str, Any], ask: Callable[[dict[str, Any]], Answer]) -> Answer:
    """Make an image, and give its snapshots the tags that they are to have."""
    of_snapshots = re.compile(rf"TagSpecification\.{_number_of(call, 'snapshot')}\.")
    kept = {key: value for key, value in call.params.items() if not of_snapshots.match(key)}
    status, kind, body = ask(with_body(environ, urlencode(kept).encode()))
    if found := re.search(rb"<imageId>(ami-[0-9a-f]+)</imageId>", body):
        image = moto.backend(call.region).amis[found[1].decode()]
        for key, value in call.request_tags().get("snapshot", {}).items():
            image.ebs_snapshot.add_tag(key, value)
    return status, kind, body


def _number_of(call: Call, kind: str) -> str:
    """Return which tag specification is for a kind of thing; none has the number 0."""
    found = (
        key.split(".")[1]
        for key, value in call.params.items()
        if key.endswith(".ResourceType") and value == kind
    )
    return next(found, "0")
