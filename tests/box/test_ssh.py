"""Our own SSH on a real machine: the key from user-data is trusted, replaced, and then worth nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import HOME, PYTHON, RUN_AS, make_user_data
from launcher.errors import HostKeyError
from launcher.nodes.ssh import SshNode
from launcher.nodes.ssh_address import Address
from launcher.nodes.ssh_connection import connect
from launcher.nodes.ssh_keys import HostKeys
from launcher.nodes.ssh_rotation import rotate_host_key
from tests.box.kit import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from launcher.nodes.ssh_connection import Connection
    from tests.box.box import Box
    from tests.box.kit import Keys

pytestmark = [pytest.mark.root, pytest.mark.allow_hosts([f"10.77.{slot}.2" for slot in range(1, 250)])]


def test_the_key_from_user_data_is_replaced_and_runs_belong_to_a_user_without_rights(
    box: Box, keys: Keys, tmp_path: Path
) -> None:
    machine = box.boot("i-ssh", user_data=make_user_data(keys.birth()))
    address = Address(machine.address)
    old = keys.host.with_suffix(".pub").read_text()

    def dial(known: HostKeys) -> Connection:
        return connect(
            address, key=keys.login, known=known, timeout_s=90.0, sleep=time.sleep, clock=time.monotonic
        )

    known, stale = HostKeys(tmp_path / "known"), HostKeys(tmp_path / "stale")
    known.pin([old])
    stale.pin([old])
    with dial(known) as connection:
        new = rotate_host_key(connection, known)
        wait_for(machine, "test -f /var/lib/launcher/ready")
        node = SshNode(connection, home=HOME, python=PYTHON, run_as=RUN_AS)
        who = node.run(["id", "-un"], timeout_s=30.0).stdout
        own = node.run(["test", "-w", str(HOME)], timeout_s=30.0).exit_code

    assert new.split()[1] != old.split()[1]
    assert (who, own) == (b"runner\n", 0)
    with dial(known) as again:
        assert again.run_as_admin(["sudo", "-n", "true"], timeout_s=30.0).exit_code == 0
    with pytest.raises(HostKeyError):
        dial(stale)
