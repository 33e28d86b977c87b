"""What a machine is told before it exists, as user-data for cloud-init. Pure: equal values, equal bytes.

The deadman comes first: `bootcmd` is the earliest that cloud-init offers, before any user, any key and any
network service, and whatever fails later, it ticks. Beside it stands a timer of systemd alone that powers off
by force some ticks after the deadline, for an image whose Python does not start. Nothing in here is secret
for long: the host key is replaced over the first connection.
"""

from __future__ import annotations

import gzip
import json
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LIMIT_BYTES = 16 * 1024
ADMIN = "launcher"
RUN_AS = "runner"
HOME = PurePosixPath("/home/runner/.launcher")
PYTHON = "/usr/bin/python3"
RULES = PurePosixPath("/etc/launcher/machine.json")
STATE = PurePosixPath("/var/lib/launcher")
PROGRAMS = PurePosixPath("/usr/local/lib/launcher")

_PROGRAM = f"{PYTHON} -I -S {PROGRAMS}"
_UNITS = PurePosixPath("/etc/systemd/system")
_START = "import sys\nfrom launcher.machine.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
_ON_MACHINE = ("__init__", "__main__", "deadman", "decide", "life", "look", "power", "rules", "spot")
_BACKSTOP_TICKS = 10

# Upgrades of the night would take the driver from under the runs.
_NOT_AT_NIGHT = ("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service")


@dataclass(frozen=True, kw_only=True)
class Birth:
    """What is decided for a machine before it is asked for.

    Args:
        deadline_at: epoch seconds; never moved.
        granted_s: seconds from launch to deadline, so that a clock that is wrong lengthens no life.
        lease_s: how long it waits for home with nothing left to run.
        interval_s: between two ticks of the deadman.
        login_keys: public keys that may log in as the admin.
        host_key, host_key_public: an ed25519 pair made for this machine alone, in OpenSSH's form.
        lost_s: a runner that was silent for so long is started again.
        grace_s: what runners get to end their runs before the power goes.
    """

    batch: str
    version: str
    deadline_at: int
    granted_s: int
    lease_s: int
    login_keys: tuple[str, ...]
    host_key: str
    host_key_public: str
    interval_s: int = 60
    spot: bool = False
    lost_s: int = 120
    grace_s: int = 30


def make_user_data(birth: Birth) -> bytes:
    """Return user-data, at most `LIMIT_BYTES` of it."""
    config = {
        "bootcmd": [_arm(birth)],
        "users": [_admin(birth), {"name": RUN_AS, "shell": "/bin/bash", "lock_passwd": True}],
        "disable_root": True,
        "ssh_pwauth": False,
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": birth.host_key, "ed25519_public": birth.host_key_public},
        "write_files": [{"path": "/etc/ssh/sshd_config.d/10-launcher.conf", "content": _SSHD}],
        "runcmd": [_make_home(), _when_done()],
    }
    text = "#cloud-config\n" + json.dumps(config, separators=(",", ":")) + "\n"
    return gzip.compress(text.encode(), mtime=0)  # cloud-init knows it by its first bytes


def machine_programs(package: Path | None = None) -> dict[PurePosixPath, str]:
    """Return the programs of a machine, by the path that they get there.

    Args:
        package: where launcher's sources lie; by default this installation's.
    """
    sources = (package or Path(__file__).resolve().parent.parent) / "machine"
    modules = {name: (sources / f"{name}.py").read_text(encoding="utf-8") for name in _ON_MACHINE}
    return {
        PROGRAMS / "__main__.py": _START,
        PROGRAMS / "launcher" / "__init__.py": "",
        **{PROGRAMS / "launcher" / "machine" / f"{name}.py": text for name, text in modules.items()},
    }


def _arm(birth: Birth) -> str:
    """Return the script that arms the machine; it runs at every boot and changes nothing then."""
    units = {**_deadman(birth), **_backstop(birth), **(_spot() if birth.spot else {})}
    started = [name for name in units if name.endswith(".timer") or name == "launcher-spot.service"]
    lines = [
        "umask 022",
        f"mkdir -p {RULES.parent} {PROGRAMS}/launcher/machine {STATE} {_UNITS}",
        _write(RULES, _rules(birth)),
        *(_write(_UNITS / name, text) for name, text in units.items()),
        *(_write(path, text) for path, text in machine_programs().items()),
        *(_write(PROGRAMS / name, _shortcut(name)) for name in ("lease", "start")),
        f"chmod 755 {PROGRAMS / 'lease'} {PROGRAMS / 'start'}",
        "systemctl daemon-reload",
        f"systemctl enable {' '.join(started)}",
        f"{_PROGRAM} tick",
        f"systemctl start --no-block {' '.join(started)}",
        f"systemctl mask --no-block {' '.join(_NOT_AT_NIGHT)}",
    ]
    return "\n".join(lines)


def _rules(birth: Birth) -> str:
    kept = (
        "batch",
        "version",
        "deadline_at",
        "granted_s",
        "lease_s",
        "interval_s",
        "spot",
        "lost_s",
        "grace_s",
    )
    rules = {name: getattr(birth, name) for name in kept}
    return json.dumps({**rules, "home": str(HOME), "run_as": RUN_AS, "python": PYTHON})


# The units stand outside the order of a boot (DefaultDependencies=no): neither a boot nor a shutdown that
# hangs can hold them up.


def _deadman(birth: Birth) -> dict[str, str]:
    service = (
        "[Unit]\nDescription=launcher: power off when the time is over\n"
        "DefaultDependencies=no\nStartLimitIntervalSec=0\n"
        f"[Service]\nType=oneshot\nExecStart={_PROGRAM} tick\n"
        "TimeoutStartSec=300\nOOMScoreAdjust=-1000\nNice=-5\n"
    )
    interval_s = birth.interval_s  # the first tick is the one of `_arm`
    timer = f"[Timer]\nOnActiveSec={interval_s}\nOnUnitActiveSec={interval_s}\nAccuracySec=200ms\n"
    return {"launcher-deadman.service": service, "launcher-deadman.timer": _TIMER + timer + _INSTALL}


def _backstop(birth: Birth) -> dict[str, str]:
    slack_s = _BACKSTOP_TICKS * birth.interval_s
    service = (
        "[Unit]\nDescription=launcher: power off by force\nDefaultDependencies=no\n"
        "[Service]\nType=oneshot\nExecStart=/bin/systemctl poweroff --force --force\n"
    )
    timer = f"[Timer]\nOnCalendar=@{birth.deadline_at + slack_s}\nOnBootSec={birth.granted_s + slack_s}\n"
    return {"launcher-backstop.service": service, "launcher-backstop.timer": _TIMER + timer + _INSTALL}


def _spot() -> dict[str, str]:
    service = (
        "[Unit]\nDescription=launcher: watch for the spot notice\n"
        f"[Service]\nExecStart={_PROGRAM} spot\nRestart=on-failure\nRestartSec=5\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    return {"launcher-spot.service": service}


def _admin(birth: Birth) -> dict[str, object]:
    return {
        "name": ADMIN,
        "shell": "/bin/bash",
        "lock_passwd": True,
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "ssh_authorized_keys": list(birth.login_keys),
    }


def _make_home() -> str:
    # Each of them, since an image may bring some of it, made by root.
    folders = f"{HOME.parent} {HOME} {HOME / 'environments'}"
    return f"install -d -o {RUN_AS} -g {RUN_AS} -m 750 {folders}"


def _when_done() -> str:
    return f"date +%s > {STATE / 'ready'}"


def _shortcut(name: str) -> str:
    return f'#!/bin/sh\nexec {_PROGRAM} {name} "$@"\n'


def _write(path: PurePosixPath, content: str) -> str:
    return f"printf %s {shlex.quote(content)} > {path}"


_TIMER = "[Unit]\nDescription=launcher: the end of this machine\nDefaultDependencies=no\n"
_INSTALL = "[Install]\nWantedBy=sysinit.target\n"

# Only the key that home knows; only the admin, only by key.
_SSHD = (
    "HostKey /etc/ssh/ssh_host_ed25519_key\n"
    f"AllowUsers {ADMIN}\n"
    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n"
)
