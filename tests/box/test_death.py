"""Every way in which a machine ends itself, on real machines: nobody at home, nobody to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import make_user_data

if TYPE_CHECKING:
    from tests.box.box import Box
    from tests.box.kit import Keys

pytestmark = pytest.mark.root


def test_it_powers_off_at_its_deadline_and_its_disk_says_why(box: Box, keys: Keys) -> None:
    birth = keys.birth(granted_s=30)
    machine = box.boot("i-deadline", user_data=make_user_data(birth))

    assert machine.wait_off(120)

    with box.mounted(machine.disk) as root:
        assert (root / "var/lib/launcher/reason").read_text() == "the deadline\n"
