"""Copies of results in a bucket: a form with which a machine may put them there, and the way home."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from launcher.aws.translate import Asked, translate
from launcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.aws.cloud import Cloud

LONGEST = timedelta(days=7)  # S3 signs for no longer
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Form:
    """What allows to put files below a prefix, and nothing else.

    Attributes:
        expires_at: when it is good for nothing any more.
    """

    url: str
    fields: Mapping[str, str]
    prefix: str
    max_bytes: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the bucket, by its path below the prefix."""

    path: str
    size: int


def make_form(
    cloud: Cloud,
    bucket: str,
    *,
    prefix: str,
    max_bytes: int,
    until: datetime,
    credentials_end: datetime | None = None,
) -> Form:
    """Make a form for uploads; nothing is sent.

    Args:
        prefix: below which files may be put; ends with a slash.
        max_bytes: how large one file may be.
        until: for how long it is wanted.
        credentials_end: when the credentials that sign it end, and it with them.

    Raises:
        AwsError: there are no credentials.
    """
    now = cloud.clock()
    ends = min(each for each in (until, now + LONGEST, credentials_end) if each is not None)
    seconds = max(int((ends - now).total_seconds()), 1)
    conditions = [["starts-with", "$key", prefix], ["content-length-range", 0, max_bytes]]
    try:
        form = cloud.client("s3").generate_presigned_post(
            bucket, prefix + "${filename}", Conditions=conditions, ExpiresIn=seconds
        )
    except (BotoCoreError, ClientError) as error:
        raise translate(error, Asked("PostObject", cloud.region, cloud.profile, now)) from error
    return Form(form["url"], form["fields"], prefix, max_bytes, now + timedelta(seconds=seconds))


def list_stored(cloud: Cloud, bucket: str, *, prefix: str) -> tuple[Stored, ...]:
    """Return the files below a prefix.

    Raises:
        AwsError: AWS can't be asked, or refuses.
    """
    pages = cloud.pages("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix)
    rows = [row for page in pages for row in page.get("Contents", ())]
    return tuple(Stored(row["Key"].removeprefix(prefix), row["Size"]) for row in rows)


def download(cloud: Cloud, bucket: str, *, prefix: str, path: str, to: Path) -> str:
    """Bring one file home, whole or not at all. Returns: its sha256.

    Args:
        path: of the file, below the prefix and then below `to`.

    Raises:
        UsageError: the path leads out of the folder.
        AwsError: AWS can't be asked, or refuses.
    """
    target = to / _safe(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    answer = cloud.call("s3", "GetObject", Bucket=bucket, Key=prefix + path)
    descriptor, staged = tempfile.mkstemp(dir=target.parent, prefix=".launcher-")
    digest = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as file:
            for block in answer["Body"].iter_chunks(_BLOCK):
                digest.update(block)
                file.write(block)
        Path(staged).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(staged).unlink()
    return digest.hexdigest()


def _safe(path: str) -> PurePosixPath:
    """Return a path that stays below its folder; whoever may write to the bucket chose it."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in path or "\0" in path:
        raise UsageError(f"{path!r} in the bucket leads out of the folder.", "Remove it there.")
    return pure
