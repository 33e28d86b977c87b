"""A client that launches, in its own process, which can be killed. Takes its work as JSON; waits little."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from launcher.aws.cloud import Cloud
from launcher.aws.images import Image
from launcher.aws.intent import intent_of
from launcher.aws.launch import launch
from launcher.aws.launch_request import LaunchRequest
from launcher.errors import LauncherError
from launcher.plan.values import Offer


def main(work: dict[str, Any]) -> None:
    """Launch, and print the machine's id or the kind of the error."""
    request = LaunchRequest(
        batch=work["batch"],
        owner="me",
        version="1",
        disk_gb=20,
        image=lambda _: Image(work["image"], "/dev/sda1", 15, "ubuntu", "test"),
        group=lambda _: str(work["group"]),
        lifetime_s=lambda _: 3600.0,
        user_data=lambda _, deadline: f"#cloud-config\n# {deadline} {work['nonce']}\n".encode(),
    )
    cloud = Cloud("us-west-2", sleep=lambda seconds: time.sleep(seconds / 50))
    try:
        machine = launch(
            cloud.in_region,
            request,
            [Offer(**offer) for offer in work["offers"]],
            intent=intent_of(Path(work["home"]), work["batch"]),
            wait_s=0,
            tell=lambda _: None,
            random=Random(0),
        )
        print(machine.id)
    except LauncherError as error:
        print(type(error).__name__)


main(json.loads(sys.argv[1]))
