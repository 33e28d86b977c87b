"""The deadman: power this machine off when its time is over, whatever else happens.

Root's tick, once every interval. The deadline is judged first, before a single file that runs can write is
looked at; that is left to a child which is that user and has little time. It needs no network, no account and
nobody at home, and where something can't be read it only gets stricter.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import time
from typing import TYPE_CHECKING, Any

from launcher.machine.decide import DEADLINE, Facts, Seen, decide
from launcher.machine.life import Life, read_life, write_life, write_whole
from launcher.machine.look import read_regular
from launcher.machine.power import power_off, run_program
from launcher.machine.rules import RULES, STATE, Rules, RulesError, ourselves, read_rules

if TYPE_CHECKING:
    from collections.abc import Callable

_LEASE = "lease"
_LOOK_TIMEOUT_S = 30.0
_START_TIMEOUT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Deadman:
    """This machine's end.

    Args:
        rules: the file that says when; root's.
        state: the folder of what ticks remember; root's.
        run: runs a program that may fail or hang.
        power_off: ends the machine.
        clock: epoch seconds, by a clock that may be wrong.
    """

    def __init__(
        self,
        *,
        rules: str = RULES,
        state: str = STATE,
        run: Callable[..., bytes | None] = run_program,
        power_off: Callable[..., None] = power_off,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules, self._state = rules, state
        self._run, self._power_off, self._clock = run, power_off, clock

    def tick(self) -> None:
        """Look, decide, act."""
        try:
            rules = read_rules(self._rules)
        except RulesError as error:
            self._power_off(str(error), state=self._state, end_runners=(), grace_s=0.0)
            return
        # By the clock alone before anything else is read, which might fail.
        if self._clock() >= rules.deadline_at:
            self._end(DEADLINE, rules)
            return
        life = read_life(self._state)
        decision = decide(self._facts(rules, life), lost_s=rules.lost_s)
        if decision.end:
            self._end(decision.end, rules)
            return
        write_life(self._state, life._replace(busy_at_s=life.lived_s) if decision.is_busy else life)
        for batch in decision.start:
            self._start(batch, rules)

    def grant_lease(self, seconds: float) -> None:
        """Take word from home: it comes back within so many seconds, and wants as many after the last run."""
        lease = {"until": self._clock() + seconds, "seconds": seconds}
        write_whole(os.path.join(self._state, _LEASE), json.dumps(lease))

    def start(self, batch: str) -> bool:
        """Start the runner of a batch; without effect where that is at work.

        Returns: whether it starts, or is there.
        """
        return self._start(batch, read_rules(self._rules))

    def _start(self, batch: str, rules: Rules) -> bool:
        # A unit of its own outlives us. On the way down only the runner is told, which ends its runs.
        name = f"launcher-run-{batch}"
        unit = ["systemd-run", "--quiet", "--no-block", "--collect", f"--unit={name}"]
        user = [f"--uid={rules.run_as}", f"--gid={rules.run_as}", f"--working-directory={rules.home}"]
        manner = ("KillMode=mixed", "TimeoutStopSec=40", "After=multi-user.target")
        argv = [*unit, *user, *(f"--property={item}" for item in manner)]
        become = ourselves("become", os.path.join(rules.home, "batches", batch))
        is_active = ["systemctl", "is-active", "--quiet", f"{name}.service"]
        tries = ([*argv, *become], is_active)
        return any(self._run(one, timeout_s=_START_TIMEOUT_S) is not None for one in tries)

    def _end(self, reason: str, rules: Rules) -> None:
        end_runners = rules.as_user("end", rules.home, str(rules.grace_s))
        self._power_off(reason, state=self._state, end_runners=end_runners, grace_s=rules.grace_s)

    def _facts(self, rules: Rules, life: Life) -> Facts:
        seen = _read(self._look(rules))
        lease = _read(read_regular(os.path.join(self._state, _LEASE)) or b"")
        asked = seen.get("asked")
        return Facts(
            now=self._clock(),
            deadline_at=rules.deadline_at,
            lived_s=life.lived_s,
            granted_s=rules.granted_s,
            lease_until=_number(lease.get("until"), 0.0),
            lease_s=_number(lease.get("seconds"), rules.lease_s),
            busy_at_s=life.busy_at_s,
            asked=None if asked is None else str(asked),
            interrupted=bool(seen.get("interrupted")),
            batches=_batches(seen.get("batches")),
        )

    def _look(self, rules: Rules) -> bytes:
        try:
            pwd.getpwnam(rules.run_as)
        except KeyError:  # the first tick is older than any user
            return b""
        return self._run(rules.as_user("look", rules.home), timeout_s=_LOOK_TIMEOUT_S) or b""


def _batches(found: Any) -> tuple[Seen, ...]:
    """Return what the child saw; whatever has not the right form was not seen."""
    return tuple(
        Seen(
            name=entry["name"],
            is_open=entry.get("is_open") is True,
            silent_s=_number(entry.get("silent_s"), float("inf")),
            is_same_boot=entry.get("is_same_boot") is True,
            can_start=entry.get("can_start") is True,
        )
        for entry in (found if isinstance(found, list) else ())
        if isinstance(entry, dict) and _is_name(entry.get("name"))
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _read(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else default
