"""Change a machine's host key over the connection that the old one proves.

The first key of a rented machine was made at home and travelled in its user-data, where others may read it;
from the rotation on it is worth nothing. Both keys are pinned, on disk, before the server is started anew,
and the old one is dropped once the new one has been seen: whoever dies in between is locked out of nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launcher.errors import HostKeyError, NodeError
from launcher.nodes.ssh_keys import parse_public_key

if TYPE_CHECKING:
    from launcher.nodes.ssh_connection import Connection
    from launcher.nodes.ssh_keys import HostKeys

_TIMEOUT_S = 60.0
_ROOT = ("sudo", "-n", "sh", "-ec")
_KEY = "/etc/ssh/ssh_host_ed25519_key"
_RESTART = "systemctl restart sshd 2>/dev/null || systemctl restart ssh"
# A key that an earlier attempt made and did not put in place is used: it may be pinned already.
_MAKE = """
test -s "$1.launcher-new" -a -s "$1.launcher-new.pub" || {
    rm -f "$1.launcher-new" "$1.launcher-new.pub"
    ssh-keygen -q -t ed25519 -N "" -C "" -f "$1.launcher-new"
}
sync
cat "$1.launcher-new.pub"
"""
# Done twice where the connection was lost before it was heard that it is done.
_PUT_IN_PLACE = """
test ! -e "$1.launcher-new.pub" || mv "$1.launcher-new.pub" "$1.pub"
test ! -e "$1.launcher-new" || mv "$1.launcher-new" "$1"
sync
"""


def rotate_host_key(
    connection: Connection, known: HostKeys, *, key: str = _KEY, restart: str = _RESTART
) -> str:
    """Give a machine a new host key and pin it.

    Args:
        key: the file of the key there.
        restart: the shell command that makes the server read it.

    Returns:
        the new public key, as it stands in a .pub file.

    Raises:
        HostKeyError: the server shows another key afterwards.
        NodeError: a step failed; both keys stay pinned where it may have been changed.
    """
    old = connection.server_key
    new = parse_public_key(_do(connection, _MAKE, key))
    known.pin([old.line, new.line])
    _do(connection, _PUT_IN_PLACE + restart, key)
    connection.connect()
    if connection.server_key != new:
        raise HostKeyError(
            f"{connection.address} still shows its old host key.", "End this machine and take another one."
        )
    known.pin([new.line])
    return new.line


def _do(connection: Connection, script: str, key: str) -> str:
    argv = [*_ROOT, script, "sh", key]
    done = connection.run_as_admin(argv, timeout_s=_TIMEOUT_S)
    if done.exit_code:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.exit_code}"
        raise NodeError(
            f"{connection.address}: the host key could not be changed: {said:.300}.",
            "End this machine and take another one.",
        )
    return done.stdout.decode("ascii", "replace")
