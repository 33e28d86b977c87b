"""Have a machine copy its results into a bucket: it gets a form that allows just that, over SSH alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.aws.bucket import make_form
from launcher.aws.identity import who
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from launcher.aws.bucket import Form
    from launcher.aws.cloud import Cloud
    from launcher.nodes.node import Node

_FOLDER = "uploads"
_PROGRAM = "upload.py"
_FORM = "form.json"
_LARGEST_BYTES = 5 * 1024**3  # S3 takes no larger file at once


def prefix_of(batch_id: str) -> str:
    """Return below which keys the files of a batch lie in a bucket."""
    return f"launcher/{batch_id}/"


def start_uploads(
    node: Node,
    batch_id: str,
    *,
    cloud: Cloud,
    bucket: str,
    until: datetime,
    tell: Callable[[str], None],
) -> None:
    """Start the uploader of a batch beside its runner.

    Args:
        until: for how long the machine may put files there, at most.

    Raises:
        AwsError: there are no credentials to sign the form with.
        NodeError: it could not be started.
    """
    form = make_form(
        cloud,
        bucket,
        prefix=prefix_of(batch_id),
        max_bytes=_LARGEST_BYTES,
        until=until,
        credentials_end=who(cloud).expires_at,
    )
    place = node.home / _FOLDER / batch_id
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), form)
        node.send(Path(folder), to=place)
    argv = [node.python, "-I", "-S", str(place / _PROGRAM), str(node.home / names.BATCHES / batch_id)]
    node.start([*argv, str(place / _FORM)], log=place / "log.txt")
    tell(f"results are copied to s3://{bucket}/{form.prefix} as well, until {_shown(form.expires_at)}")


def _write(folder: Path, form: Form) -> None:
    source = Path(__file__).parents[1] / "machine" / _PROGRAM
    shutil.copyfile(source, folder / _PROGRAM)
    (folder / _FORM).touch(0o600)  # whoever has it may add files below the prefix
    values = {**asdict(form), "expires_at": form.expires_at.isoformat()}
    (folder / _FORM).write_text(json.dumps(values), "utf-8")


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC, when that permission expires"
