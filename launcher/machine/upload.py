"""Put a batch's results into a bucket while it runs, with nothing but a form that allows just that.

    upload.py BATCH_FOLDER FORM_FILE [SECONDS_BETWEEN_ROUNDS]

One file of its own beside the runner, started by the client as the user of the runs; the form comes over SSH
and allows to add files below one prefix, for a while. Finished runs go up whole, their state last, so that a
state in the bucket means that all of the run is there; of open runs only checkpoints. What was sent is
remembered. Exit codes: 0 everything is there; 1 the form is good for nothing any more; 2 it can't be read.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import stat
import sys
import time
import uuid
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MEMORY = "uploaded.json"
_OPEN = frozenset({None, "queued", "running", "interrupted"})
_FIRST = ("run.json", "params.json", "log.txt", "history.csv", "metrics.json")
_EVERY_S = 30.0
_TIMEOUT_S = 60.0
_CHUNK_BYTES = 1 << 20

Mark = list[int]  # size and time of change: what tells one content of a path from another


class Form(NamedTuple):
    """Where files go, and what goes with each; `expires_at` in epoch seconds."""

    url: str
    fields: dict[str, str]
    prefix: str
    max_bytes: int
    expires_at: float


class RefusedError(Exception):
    """The bucket does not take this file, and never will."""


class ExpiredError(Exception):
    """The bucket takes nothing with this form any more."""


def read_form(path: str) -> Form:
    """Return the form that the client left.

    Raises:
        ValueError, KeyError, OSError: it is none.
    """
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    ends = datetime.fromisoformat(value["expires_at"]).timestamp()
    return Form(value["url"], dict(value["fields"]), value["prefix"], int(value["max_bytes"]), ends)


class Uploader:
    """What was sent of one batch, and what is left.

    Args:
        send: puts an open file into the bucket under a path.
    """

    def __init__(self, batch: str, form: Form, *, send: Callable[[Form, str, BinaryIO, int], None]) -> None:
        self._batch, self._form, self._send = batch, form, send
        self._sent: dict[str, Mark] = _read(os.path.join(batch, _MEMORY))

    def work(self, *, now: Callable[[], float], sleep: Callable[[float], None], every_s: float) -> bool:
        """Send what is new until nothing more will come. Returns: whether everything is there."""
        while now() < self._form.expires_at:
            is_done = not self._has_open_runs() and os.path.exists(os.path.join(self._batch, "manifest.json"))
            try:
                if self.send_new() and is_done:
                    return True
            except ExpiredError:
                return False
            sleep(every_s)
        return False

    def send_new(self) -> bool:
        """Send what was not sent yet. Returns: whether nothing is left to try again."""
        before = dict(self._sent)
        # Within a group nothing overtakes what could not be sent: a state never comes before its run.
        wholes = [all(map(self._try, group)) for group in self._groups()]
        if self._sent != before:
            self._remember()
        return all(wholes)

    def _try(self, path: str) -> bool:
        """Send a file. Returns: whether the next round need not try again."""
        try:
            self._send_one(path)
        except RefusedError as error:
            sys.stderr.write(f"{path}: {error}\n")
        except (OSError, http.client.HTTPException) as error:
            sys.stderr.write(f"{path}: {error}\n")
            return False
        return True

    def _send_one(self, path: str) -> None:
        try:
            descriptor = os.open(os.path.join(self._batch, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return  # it is gone, or a link
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            mark = [status.st_size, status.st_mtime_ns]
            if not stat.S_ISREG(status.st_mode) or self._sent.get(path) == mark:
                return
            self._sent[path] = mark
            if status.st_size > self._form.max_bytes:
                raise RefusedError(f"{status.st_size} bytes are more than the form allows")
            try:
                self._send(self._form, path, file, status.st_size)
            except (OSError, http.client.HTTPException, ExpiredError):
                del self._sent[path]
                raise

    def _groups(self) -> Iterator[Iterable[str]]:
        """Yield what may go up, in order, by path in the batch folder."""
        yield ("plan.json",)
        for run, state in self._states():
            folder = os.path.join("runs", run)
            yield self._files(f"{folder}/checkpoint") if state in _OPEN else self._results(folder)
        yield ("events.jsonl",)
        yield ("manifest.json",)

    def _results(self, folder: str) -> Iterator[str]:
        yield from (f"{folder}/{name}" for name in _FIRST)
        yield from self._files(f"{folder}/outputs")
        yield f"{folder}/state.json"

    def _files(self, folder: str) -> Iterator[str]:
        for parent, _, names in os.walk(os.path.join(self._batch, folder)):
            for name in sorted(names):
                if not name.endswith(".new"):
                    yield os.path.relpath(os.path.join(parent, name), self._batch)

    def _states(self) -> Iterator[tuple[str, str | None]]:
        for run in _read(os.path.join(self._batch, "plan.json")).get("runs", []):
            state = _read(os.path.join(self._batch, "runs", run["id"], "state.json")).get("state")
            yield run["id"], state

    def _has_open_runs(self) -> bool:
        return any(state in _OPEN for _, state in self._states())

    def _remember(self) -> None:
        path = os.path.join(self._batch, _MEMORY)
        with contextlib.suppress(OSError):  # a full disk: what was sent is sent again by the next of us
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(self._sent, file)
            os.replace(path + ".new", path)


def post(form: Form, path: str, file: BinaryIO, size: int) -> None:
    """Put one file into the bucket.

    Raises:
        OSError, http.client.HTTPException: not now.
        RefusedError: not this file.
        ExpiredError: not with this form.
    """
    boundary = uuid.uuid4().hex
    head, tail = _around(form, path, boundary)
    address = urlsplit(form.url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=_TIMEOUT_S)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    try:
        connection.request("POST", address.path or "/", body=_body(head, file, size, tail), headers=headers)
        answer = connection.getresponse()
        _judge(answer.status, answer.read(_CHUNK_BYTES).decode("utf-8", "replace"))
    finally:
        connection.close()


def _around(form: Form, path: str, boundary: str) -> tuple[bytes, bytes]:
    fields = {**form.fields, "key": form.prefix + path}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    start = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
    head = "".join([*parts, start, "Content-Type: application/octet-stream\r\n\r\n"])
    try:
        return head.encode(), f"\r\n--{boundary}--\r\n".encode()
    except UnicodeEncodeError as error:
        raise RefusedError("a bucket's names are UTF-8") from error


def _body(head: bytes, file: BinaryIO, size: int, tail: bytes) -> Iterator[bytes]:
    yield head
    while size > 0:
        chunk = file.read(min(size, _CHUNK_BYTES))
        if not chunk:
            raise OSError("it became shorter while it was read")
        size -= len(chunk)
        yield chunk
    yield tail


def _judge(status: int, text: str) -> None:
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.FORBIDDEN:
        raise ExpiredError(text)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RefusedError(f"refused ({status}): {text}")
    raise OSError(f"the bucket answers {status}")


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def main(batch: str, form_file: str, every_s: str = str(_EVERY_S)) -> int:
    """Upload until everything is there or the form ends. Returns: the exit code."""
    try:
        form = read_form(form_file)
    except (ValueError, KeyError, TypeError, OSError) as error:
        sys.stderr.write(f"{form_file}: {error}\n")
        return 2
    uploader = Uploader(batch, form, send=post)
    return 0 if uploader.work(now=time.time, sleep=time.sleep, every_s=float(every_s)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
