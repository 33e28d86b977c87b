"""Reach a rented machine and make it ready for a batch: armed, with a host key of its own, nothing missing.

The order is that of a night: nothing of a batch goes to a machine that does not carry its own end.
"""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from launcher.aws import machines, tags
from launcher.aws.user_data import ADMIN, HOME, PROGRAMS, PYTHON, RUN_AS, STATE
from launcher.errors import NodeError, UsageError
from launcher.nodes.ssh import SshNode
from launcher.nodes.ssh_address import Address
from launcher.nodes.ssh_connection import connect
from launcher.nodes.ssh_rotation import rotate_host_key
from launcher.results.place import read_place
from launcher.runner.environment import KEY_LENGTH, environment_folder
from launcher.runner.install import IMAGE_ENVIRONMENTS
from launcher.targets.ec2_keys import first_host_key, forget_first_host_key, host_keys, login_key
from launcher.targets.ready import check_armed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from launcher.nodes.ssh_connection import Connection
    from launcher.results.place import Rented
    from launcher.targets.ec2_rent import Terms

FIRST_PATIENCE_S = 300.0
PATIENCE_S = 30.0
_ASK_S = 60.0
_INSTALL_S = 1800.0
_READY_S = 600.0
_LOOK_AGAIN_S = 0.2

# uv comes from the image, from PyPI, or after the package that Debian's own Python lacks for that.
_BRING_UV = """
command -v uv >/dev/null && exit 0
python3 -m venv /opt/launcher/uv 2>/dev/null || {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
    python3 -m venv --clear /opt/launcher/uv
}
/opt/launcher/uv/bin/pip install --quiet --disable-pip-version-check uv
ln -sf /opt/launcher/uv/bin/uv /usr/local/bin/uv
"""
_BRING_DRIVER = """
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"
modprobe nvidia
"""


def known_machine(batch: Path) -> Rented:
    """Return the machine that a batch has now.

    Raises:
        UsageError: it has none.
    """
    place = read_place(batch)
    if place is None or place.current is None:
        raise UsageError(
            f"{batch.name} has no machine now.", f"Go on with another: launcher resume {batch.name}"
        )
    return place.current


@contextmanager
def open_known(batch: Path) -> Iterator[tuple[Connection, SshNode]]:
    """Connect to the machine that a batch has now.

    Raises:
        UsageError: it has none.
        SshError: why it could not be reached.
    """
    home = batch.parent.parent
    with open_machine(known_machine(batch), home=home, clock=time.monotonic, sleep=time.sleep) as opened:
        yield opened


def open_new(rented: Rented, terms: Terms) -> AbstractContextManager[tuple[Connection, SshNode]]:
    """Connect to a machine that may still be booting, and connect again where the network is away a while."""
    return open_machine(
        rented,
        home=terms.home,
        clock=terms.clock,
        sleep=terms.sleep,
        patience_s=FIRST_PATIENCE_S,
        tell=terms.tell,
    )


@contextmanager
def open_machine(
    rented: Rented,
    *,
    home: Path,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    patience_s: float = PATIENCE_S,
    tell: Callable[[str], None] | None = None,
) -> Iterator[tuple[Connection, SshNode]]:
    """Connect to a machine; nobody but itself is believed to be it.

    Args:
        home: the folder `.launcher` that has its keys.
        patience_s: how long to try.
        tell: takes a line when the connection was lost and what was going on is begun anew; None begins
            nothing anew.

    Raises:
        SshError: why it could not be reached.
    """
    with connect(
        Address(rented.address, user=ADMIN),
        key=login_key(home, rented.key),
        known=host_keys(home, rented.key),
        timeout_s=patience_s,
        sleep=sleep,
        clock=clock,
        tell=tell,
    ) as connection:
        yield connection, SshNode(connection, home=HOME, python=PYTHON, run_as=RUN_AS)


def settle(connection: Connection, rented: Rented, terms: Terms) -> None:
    """See that a new machine will end by itself, and give it a host key that stood in no user-data.

    Raises:
        NodeError: one of both failed.
    """
    check_armed(connection, clock=terms.clock, sleep=terms.sleep)
    if first_host_key(terms.home, rented.key).exists():
        public = rotate_host_key(connection, host_keys(terms.home, rented.key))
        machines.set_tag(terms.cloud_of(rented.region), rented.machine, tags.HOST_KEY, public)
        forget_first_host_key(terms.home, rented.key)
    _wait_for_user_data(connection, terms)


def bring_programs(connection: Connection, *, driver: str, needs_uv: bool) -> None:
    """Install what the image lacks: the GPU's driver, and the program that installs environments.

    Raises:
        NodeError: it could not be installed.
    """
    if driver:
        _do(connection, _BRING_DRIVER, driver, what=f"the driver {driver}")
    if needs_uv:
        _do(connection, _BRING_UV, what="uv")


def has_environments(connection: Connection, hashes: Iterable[str]) -> bool:
    """Tell whether nothing need be installed: the image or an earlier batch brought these."""
    for sha256 in hashes:
        places = (f"{IMAGE_ENVIRONMENTS}/{sha256[:KEY_LENGTH]}", environment_folder(str(HOME), sha256))
        test = " || ".join(f"test -e {place}/complete" for place in places)
        if connection.run_as_admin(["sudo", "-n", "sh", "-c", test], timeout_s=_ASK_S).exit_code:
            return False
    return True


def renew_lease(connection: Connection, seconds: float) -> None:
    """Tell a machine that home is there, and for how long it is to wait once nothing is left to run."""
    connection.run_as_admin(["sudo", "-n", f"{PROGRAMS}/lease", f"{seconds:.0f}"], timeout_s=_ASK_S)


def _wait_for_user_data(connection: Connection, terms: Terms) -> None:
    until = terms.clock() + _READY_S
    while connection.run_as_admin(["test", "-s", f"{STATE}/ready"], timeout_s=_ASK_S).exit_code:
        if terms.clock() > until:
            said = connection.run_as_admin(["cloud-init", "status", "--long"], timeout_s=_ASK_S).stdout
            raise NodeError(
                f"The machine did not finish its setup: {' '.join(said.decode(errors='replace').split())}.",
                "Take another image, or look into /var/log/cloud-init.log of one that you build from it.",
            )
        terms.sleep(_LOOK_AGAIN_S)


def _do(connection: Connection, script: str, *arguments: str, what: str) -> None:
    argv = ["sudo", "-n", "sh", "-ec", script, "sh", *arguments]
    done = connection.run_as_admin(argv, timeout_s=_INSTALL_S)
    if done.exit_code:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"{shlex.join(argv[:3])}: exit code {done.exit_code}"
        raise NodeError(f"{what} could not be installed on the machine: {said:.300}.", "Try another image.")
