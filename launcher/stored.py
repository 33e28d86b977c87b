"""Bring results home from the bucket, once the machine is gone: of finished runs what home lacks, verified.

What finished runs left stands with its hash in the journal, in the bucket as on a node. A file that was
changed at home is kept; what comes stands beside it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.aws.bucket import download, list_stored
from launcher.pull import Pulled, write_seen
from launcher.results.left import Missing, find_missing, read_left
from launcher.runner import names
from launcher.runner.disk import hash_file
from launcher.targets.ec2_bucket import prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from launcher.aws.cloud import Cloud


def pull_stored(batch: Path, *, cloud: Cloud, bucket: str, now: datetime) -> Pulled:
    """Bring home what the bucket has of a batch whose machine is gone.

    Returns:
        what came, and what ended runs left that neither home nor the bucket has.

    Raises:
        AwsError: AWS can't be asked, or refuses.
    """
    with tempfile.TemporaryDirectory(dir=batch.parent.parent, prefix=".stored-") as folder:
        return _Bucket(batch, Path(folder), cloud, bucket).pull(now)


class _Bucket:
    def __init__(self, batch: Path, staging: Path, cloud: Cloud, bucket: str) -> None:
        self._batch, self._staging, self._cloud, self._bucket = batch, staging, cloud, bucket
        self._prefix = prefix_of(batch.name)
        self._sizes = {each.path: each.size for each in list_stored(cloud, bucket, prefix=self._prefix)}
        self._paths: list[str] = []
        self._beside: list[str] = []

    def pull(self, now: datetime) -> Pulled:
        self._download(names.EVENTS)
        # The journal only grows: where home has more of it, a later machine's work is known here already.
        is_news = (_read(self._staging / names.EVENTS) or b"").startswith(
            _read(self._batch / names.EVENTS) or b""
        )
        for run, files in read_left(self._staging if is_news else self._batch).items():
            self._bring(run, files, is_news=is_news)
        for name in (names.EVENTS, names.MANIFEST) if is_news else ():
            self._take(name)
        at = now.isoformat(timespec="microseconds")
        write_seen(self._batch, {"pulled_at": at, "at": at, "is_alive": False, "requests": 0})
        left = read_left(self._batch)
        return Pulled(
            tuple(self._paths),
            sum(self._sizes[path] for path in self._paths),
            tuple(self._beside),
            missing=tuple(self._missing(left)),
            ended=len(left),
        )

    def _missing(self, left: Mapping[str, Any]) -> Iterator[Missing]:
        for run, files in left.items():
            yield from find_missing(self._batch, run, files)

    def _bring(self, run: str, files: Mapping[str, tuple[int, str]], *, is_news: bool) -> None:
        """Bring what home lacks of a run that ended, its state last."""
        for path, _ in find_missing(self._batch, run, files):
            expected = files[path.removeprefix(f"{names.RUNS}/{run}/")]
            if self._download(path) and hash_file(str(self._staging / path)) == expected:
                self._place(path, digest=expected[1])
        for name in (names.RUN, names.STATE) if is_news else ():
            self._take(f"{names.RUNS}/{run}/{name}")

    def _take(self, path: str) -> None:
        """Take over a file of the runner's, which nobody at home writes to."""
        if self._download(path) and _read(self._staging / path) != _read(self._batch / path):
            self._move(path, path)

    def _place(self, path: str, *, digest: str) -> None:
        new, old = _read(self._staging / path), _read(self._batch / path)
        # What had come before the machine went is the beginning of a log or a history.
        if old is None or (new or b"").startswith(old):
            self._move(path, path)
            return
        beside = f"{path}.remote-{digest[:8]}"
        self._beside.append(beside)
        self._move(path, beside)

    def _move(self, path: str, to: str) -> None:
        target = self._batch / to
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._staging / path).replace(target)
        self._paths.append(path)

    def _download(self, path: str) -> bool:
        if path not in self._sizes:
            return False
        if not (self._staging / path).exists():
            download(self._cloud, self._bucket, prefix=self._prefix, path=path, to=self._staging)
        return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
