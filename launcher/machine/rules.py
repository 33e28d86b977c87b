"""What was decided for this machine before it existed. Root's files; read, never changed."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from launcher.machine.look import read_regular

RULES = "/etc/launcher/machine.json"
STATE = "/var/lib/launcher"
_LOST_S = 120.0
_GRACE_S = 30.0


class RulesError(ValueError):
    """Nobody knows what was decided."""


class Rules(NamedTuple):
    """The deadline, by the clock and in seconds of life; the lease; whose runs, and where.

    `lost_s`: a runner that was silent for so long is dead. `grace_s`: what runners get to end their runs.
    """

    deadline_at: float
    granted_s: float
    lease_s: float
    home: str
    run_as: str
    lost_s: float
    grace_s: float

    def as_user(self, *words: str) -> list[str]:
        """Return the command that does one thing of ours as the user of the runs."""
        return [
            "setpriv",
            f"--reuid={self.run_as}",
            f"--regid={self.run_as}",
            "--init-groups",
            *ourselves(*words),
        ]


def read_rules(path: str = RULES) -> Rules:
    """Return the rules of this machine.

    Raises:
        RulesError: they can't be read.
    """
    try:
        value = json.loads(read_regular(path) or b"")
        return Rules(
            deadline_at=float(value["deadline_at"]),
            granted_s=float(value["granted_s"]),
            lease_s=float(value["lease_s"]),
            home=str(value["home"]),
            run_as=str(value["run_as"]),
            lost_s=float(value.get("lost_s", _LOST_S)),
            grace_s=float(value.get("grace_s", _GRACE_S)),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise RulesError(f"{path} can't be read: {error!r}") from error


def ourselves(*words: str) -> list[str]:
    """Return the command that starts this program again."""
    return [sys.executable, "-I", "-S", sys.argv[0], *words]
