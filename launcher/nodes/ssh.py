"""A place that is reached by SSH: a program is brought there over the connection, and does what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.nodes.sync_arrival import Arrival
from launcher.nodes.sync_fetch import Fetcher
from launcher.nodes.sync_peer import Peer, server_argv
from launcher.nodes.sync_send import send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path, PurePath, PurePosixPath

    from launcher.nodes.node import Completed, Moved
    from launcher.nodes.ssh_connection import Connection


class SshNode:
    """A computer by its SSH server.

    Args:
        connection: to it; whoever made it closes it.
        home: the folder `.launcher` there.
        python: the interpreter for runner and jobs there.
        run_as: another user there, who owns home; the one that logs in may become it by sudo.
        peer: our program there, where it was started already.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        home: PurePosixPath,
        python: str,
        run_as: str | None = None,
        peer: Peer | None = None,
    ) -> None:
        self.home = home
        self.python = python
        self._connection, self._run_as = connection, run_as
        self._peer = peer
        self._fetchers: dict[tuple[str, Path], Fetcher] = {}

    def run(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""
        return self._connection.persist(lambda: self._talk().run(argv, timeout_s=timeout_s, stdin=stdin))

    def start(self, argv: Sequence[str], *, log: PurePath) -> None:
        """Start a program that outlives us."""
        self._connection.persist(lambda: self._talk().start(argv, log=str(log)))

    def send(
        self,
        folder: Path,
        *,
        to: PurePath,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
    ) -> Moved:
        """Bring a folder's files there; what is there and equal stays."""
        return self._connection.persist(
            lambda: send(self._talk(), folder, to=str(to), exclude=exclude, tell=tell)
        )

    def fetch(
        self,
        folder: PurePath,
        *,
        to: Path,
        exclude: Sequence[str] = (),
        tell: Callable[[int, int], None] | None = None,
        anew: bool = False,
    ) -> Moved:
        """Bring a folder's files home; asked again over one connection, only news travel."""
        return self._connection.persist(lambda: self._fetch(folder, to, exclude, tell, anew=anew))

    def _fetch(
        self,
        folder: PurePath,
        to: Path,
        exclude: Sequence[str],
        tell: Callable[[int, int], None] | None,
        *,
        anew: bool,
    ) -> Moved:
        peer = self._talk()
        place = str(folder), to
        if place not in self._fetchers:
            arrival = Arrival(to, node=peer.name)
            self._fetchers[place] = Fetcher(peer, root=str(folder), arrival=arrival)
        return self._fetchers[place].fetch(exclude, tell, anew=anew)

    def _talk(self) -> Peer:
        if self._peer is None or self._peer.is_broken:
            self._fetchers.clear()
            self._peer = open_peer(self._connection, python=self.python, run_as=self._run_as)
        return self._peer


def open_peer(connection: Connection, *, python: str, run_as: str | None = None) -> Peer:
    """Bring the program there and start it."""
    become = ["sudo", "-n", "-H", "-u", run_as, "--"] if run_as else []
    pipe = connection.open([*become, *server_argv(python)])
    return Peer(pipe, name=str(connection.address))
