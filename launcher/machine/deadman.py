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
from typing import Any

from launcher.machine.decide import DEADLINE, Facts, Seen, decide
from launcher.machine.life import Life, read_life, write_life, write_whole
from launcher.machine.look import read_regular
from launcher.machine.power import power_off, run
from launcher.machine.rules import STATE, Rules, RulesError, ourselves, read_rules

_LEASE = "lease"
_LOOK_TIMEOUT_S = 30.0
_START_TIMEOUT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def tick() -> None:
    """Look, decide, act."""
    try:
        rules = read_rules()
    except RulesError as error:
        power_off(str(error), state=STATE, end_runners=(), grace_s=0.0)
        return
    now = time.time()
    # By the clock alone before anything else is read, which might fail.
    if now >= rules.deadline_at:
        _end(DEADLINE, rules)
        return
    life = read_life(STATE)
    lived_s = life.lived_s
    decision = decide(_facts(rules, life, now), lost_s=rules.lost_s)
    if decision.end:
        _end(decision.end, rules)
        return
    write_life(STATE, life._replace(busy_at_s=lived_s) if decision.is_busy else life)
    for batch in decision.start:
        start(batch, rules)


def grant_lease(seconds: float) -> None:
    """Take word from home, which comes back within so many seconds, and wants as many after the last run."""
    lease = {"until": time.time() + seconds, "seconds": seconds}
    write_whole(os.path.join(STATE, _LEASE), json.dumps(lease))


def start(batch: str, rules: Rules) -> bool:
    """Start the runner of a batch as its user, in a unit of its own; without effect where that is at work.

    On the way down only the runner is told, so that it is the one who ends its runs.

    Returns: whether it starts, or is there.
    """
    name = f"launcher-run-{batch}"
    unit = ["systemd-run", "--quiet", "--no-block", "--collect", f"--unit={name}"]
    user = [f"--uid={rules.run_as}", f"--gid={rules.run_as}", f"--working-directory={rules.home}"]
    manner = ("KillMode=mixed", "TimeoutStopSec=40", "After=multi-user.target")
    argv = [*unit, *user, *(f"--property={item}" for item in manner)]
    become = ourselves("become", os.path.join(rules.home, "batches", batch))
    is_active = ["systemctl", "is-active", "--quiet", f"{name}.service"]
    return any(run(one, timeout_s=_START_TIMEOUT_S) is not None for one in ([*argv, *become], is_active))


def _end(reason: str, rules: Rules) -> None:
    end_runners = rules.as_user("end", rules.home, str(rules.grace_s))
    power_off(reason, state=STATE, end_runners=end_runners, grace_s=rules.grace_s)


def _facts(rules: Rules, life: Life, now: float) -> Facts:
    seen = _read(_look(rules))
    lease = _read(read_regular(os.path.join(STATE, _LEASE)) or b"")
    asked = seen.get("asked")
    return Facts(
        now=now,
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


def _look(rules: Rules) -> bytes:
    try:
        pwd.getpwnam(rules.run_as)
    except KeyError:  # the first tick is older than any user
        return b""
    return run(rules.as_user("look", rules.home), timeout_s=_LOOK_TIMEOUT_S) or b""


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
        if isinstance(entry, dict) and _NAME.fullmatch(str(entry.get("name")))
    )


def _read(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else default
