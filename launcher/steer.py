"""Talk to the runner of a batch: start it, cancel, resume. Works on any node, by argv alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launcher.errors import NodeError
from launcher.nodes.runner_zip import runner_zip
from launcher.report.plan import size
from launcher.report.text import plural
from launcher.results.files import parse_object, read_end
from launcher.results.life import START_S, count_requests, look_at_runner
from launcher.runner import names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from pathlib import PurePath

    from launcher.nodes.node import Node

HOME_ONLY = (names.PLACE, names.SEEN, names.SUBMIT_LOCK)
_REQUEST_TIMEOUT_S = 60.0
_INSTALL_TIMEOUT_S = 3600.0
_LOOK_AGAIN_S = 0.02
_CAUSE_LENGTH = 400
_REMOVE = ("/bin/sh", "-c", 'chmod -R u+rwX -- "$1" && rm -rf -- "$1"', "sh")  # snapshots are read-only


def bring(
    batch: Path,
    node: Node,
    *,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None],
    exclude: Iterable[str] = (),
) -> None:
    """Send a batch to its node, where it is not there already.

    Args:
        tell: takes a line once it is there.
        progress: takes how many bytes have travelled, and how many will.
        exclude: paths that stay at home, beside those that always do.
    """
    left_out = (*HOME_ONLY, *exclude)
    moved = node.send(batch, to=_batch_on(node, batch.name), exclude=left_out, tell=progress)
    if moved.paths:
        tell(f"sent {plural(len(moved.paths), 'file')}, {size(moved.size_bytes)}")


def forget(node: Node, batch_id: str) -> None:
    """Take a batch away that never began; without effect where its node can't be reached any more."""
    with contextlib.suppress(NodeError):
        node.run([*_REMOVE, str(_batch_on(node, batch_id))], timeout_s=_REQUEST_TIMEOUT_S)


def start_runner(node: Node, batch_id: str, *, only_requests: bool = False) -> None:
    """Start the runner of a batch; without effect where one is at work.

    Args:
        only_requests: it carries out what was asked of it and starts no run.
    """
    batch = _batch_on(node, batch_id)
    flags = ["--only-requests"] if only_requests else []
    node.start([*_start_argv(node, batch), *flags], log=batch / names.RUNNER_LOG)


def wait_for_runner(
    batch: Path,
    *,
    now: Callable[[], datetime],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    boot_id: str | None,
    refresh: Callable[[], None] = lambda: None,
) -> None:
    """Wait until the runner has taken up a batch and what was asked of it; its states are true from then on.

    Args:
        refresh: brings home what is new of a batch on another computer.

    Raises:
        NodeError: no runner came to life.
    """
    until = clock() + START_S
    while True:
        refresh()
        runner = look_at_runner(str(batch), now=now(), boot_id=boot_id)
        if runner.started and not count_requests(str(batch)):
            return
        if runner.alive:
            until = clock() + START_S
        elif clock() > until:
            raise no_runner(batch)
        sleep(_LOOK_AGAIN_S)


def no_runner(batch: Path) -> NodeError:
    """Return the error of a batch that nobody is at work on, with the last words of whoever was."""
    return NodeError(
        f"No runner took up {batch.name}{_last_words(batch)}.",
        f"See that its disk has room, then start it: launcher resume {batch.name}",
    )


def cancel(node: Node, batch_id: str, *, runs: Sequence[str] = ()) -> None:
    """Cancel runs, by default all: what runs is ended, what is queued never starts."""
    _request(node, "cancel", str(_batch_on(node, batch_id)), *runs)
    start_runner(node, batch_id, only_requests=True)


def resume(node: Node, batch_id: str, *, environments: Collection[str], failed: bool = False) -> None:
    """Queue again what did not come to its end, and failed runs as well where `failed`.

    Args:
        environments: what the jobs need, by sha256; whoever submitted the batch may not have got so far.
    """
    for sha256 in environments:
        install_environment(node, batch_id, sha256=sha256)
    _request(node, "resume", str(_batch_on(node, batch_id)), *(["--failed"] if failed else []))
    start_runner(node, batch_id)


def leave_start(node: Node, batch_id: str) -> None:
    """Leave in a batch how its runner is started, for who starts it again while the client is away."""
    batch = _batch_on(node, batch_id)
    argv = _start_argv(node, batch)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, names.START).write_text(json.dumps({"argv": argv}), "ascii")
        node.send(Path(folder), to=batch)


def look_at_batch(node: Node, batch_id: str) -> dict[str, Any]:
    """Return what only the node knows of a batch: whether its runner lives, what it has to hear, the time."""
    done = node.run(
        [*runner_argv(node), "look", str(_batch_on(node, batch_id))], timeout_s=_REQUEST_TIMEOUT_S
    )
    seen = parse_object(done.stdout) if not done.exit_code else None
    if seen is None:
        raise NodeError(f"{batch_id} is not on its node any more.", "Its results so far are at home.")
    return seen


def install_environment(node: Node, batch_id: str, *, sha256: str) -> None:
    """Install a job's environment on the node, once per content of its requirements."""
    requirements = _batch_on(node, batch_id) / names.ENVIRONMENTS / f"{sha256}.txt"
    argv = ["install", str(node.home), sha256, str(requirements), "--python", node.python]
    done = node.run([*runner_argv(node), *argv], timeout_s=_INSTALL_TIMEOUT_S)
    if done.exit_code:
        cause = _cause((done.stderr or done.stdout).decode(errors="replace"))
        raise NodeError(
            f"The environment could not be installed: {cause}",
            "Mend the job's requirements file, then try again.",
        )


def _cause(said: str) -> str:
    """Return what an installer said from its first error on; what the runner says of it comes behind."""
    lines = said.partition("Traceback (most recent call last)")[0].split("\n")
    first = next((number for number, line in enumerate(lines) if "error" in line.lower()), 0)
    text = " ".join(" ".join(lines[first:]).split()) or "no output"
    return text[:_CAUSE_LENGTH].removeprefix("error: ").removeprefix("ERROR: ")


def _request(node: Node, *arguments: str) -> None:
    done = node.run([*runner_argv(node), *arguments], timeout_s=_REQUEST_TIMEOUT_S)
    if done.exit_code:
        message = done.stderr.decode(errors="replace").strip().splitlines()
        raise NodeError(f"The request was not taken: {message[-1] if message else 'no output'}", "Try again.")


def _last_words(batch: Path) -> str:
    lines = read_end(f"{batch}/{names.RUNNER_LOG}", size_bytes=4096).decode("utf-8", "replace").split("\n")
    said = next((line for line in reversed(lines) if line.strip()), "")
    return f": {said.strip()}" if said else ""


def _batch_on(node: Node, batch_id: str) -> PurePath:
    return node.home / names.BATCHES / batch_id


def _start_argv(node: Node, batch: PurePath) -> list[str]:
    return [*runner_argv(node), "run", str(batch), "--python", node.python]


def runner_argv(node: Node) -> list[str]:
    """Return the start of every command to the runner, which is brought to the node where it is not there."""
    content = runner_zip()
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.pyz"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        node.send(Path(folder), to=node.home / names.RUNNERS)
    return [node.python, "-I", "-S", str(node.home / names.RUNNERS / name)]
