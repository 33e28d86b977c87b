"""What a machine is told before it exists; what cloud-init makes of it is tested in the box."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import launcher
from launcher.aws.user_data import LIMIT_BYTES, Birth, machine_programs, make_user_data

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA4w0I9mNlAWYfSJN0gY5Jd1Q0mZ0O4sJ3cZ5yq1f0aT"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "a" * 340 + "\n-----END OPENSSH PRIVATE KEY-----\n"
BIRTH = Birth(
    batch="20261121-0213-brisk-otter",
    version="0.1.0",
    deadline_at=1_795_000_000,
    granted_s=32_400,
    lease_s=900,
    login_keys=(KEY + " login",),
    host_key=PRIVATE,
    host_key_public=KEY + " host",
)


def config_of(birth: Birth) -> Any:
    text = gzip.decompress(make_user_data(birth)).decode()
    first, _, rest = text.partition("\n")
    assert first == "#cloud-config"
    return json.loads(rest)


def test_equal_values_give_equal_bytes_so_that_a_launch_can_be_repeated(tmp_path: Path) -> None:
    package = Path(launcher.__file__).parent
    copy = shutil.copytree(package, tmp_path / "a'; echo b" / "launcher")

    assert make_user_data(BIRTH) == make_user_data(replace(BIRTH))
    assert machine_programs(copy) == machine_programs(package)


@pytest.mark.parametrize("spot", [False, True])
def test_it_stays_far_below_what_ec2_takes(*, spot: bool) -> None:
    many_keys = tuple(f"{KEY} {number}" for number in range(8))

    assert len(make_user_data(replace(BIRTH, spot=spot, login_keys=many_keys))) < LIMIT_BYTES - 3000


def test_the_first_thing_is_the_deadman_and_a_machine_without_spot_has_no_watcher() -> None:
    config, on_spot = config_of(BIRTH), config_of(replace(BIRTH, spot=True))

    assert next(iter(config)) == "bootcmd"
    assert "launcher-spot" not in config["bootcmd"][0]
    assert "systemctl enable launcher-deadman.timer" in config["bootcmd"][0]
    assert "launcher-spot.service" in on_spot["bootcmd"][0]


def test_only_the_admin_gets_in_and_the_user_of_the_runs_may_do_nothing() -> None:
    config = config_of(BIRTH)
    admin, runner = config["users"]

    assert (admin["name"], admin["ssh_authorized_keys"]) == ("launcher", [KEY + " login"])
    assert runner == {"name": "runner", "shell": "/bin/bash", "lock_passwd": True}
    assert (config["ssh_pwauth"], config["ssh_deletekeys"], config["disable_root"]) == (False, True, True)
    assert config["ssh_keys"] == {"ed25519_private": PRIVATE, "ed25519_public": KEY + " host"}


def test_the_script_means_what_it_says_whatever_stands_in_the_values() -> None:
    hostile = replace(BIRTH, batch="a'; touch /tmp/harm; echo '$(date)`date`")
    script = config_of(hostile)["bootcmd"][0]

    done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    (line,) = [line for line in script.splitlines() if line.endswith("> /etc/launcher/machine.json")]
    written = subprocess.run(
        ["sh", "-c", line.rpartition(" > ")[0]], text=True, capture_output=True, check=True
    )
    assert json.loads(written.stdout)["batch"] == hostile.batch


def test_the_programs_need_nothing_but_the_standard_library_of_an_old_python(tmp_path: Path) -> None:
    for path, text in machine_programs().items():
        target = tmp_path / path.relative_to("/usr/local/lib/launcher")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    done = subprocess.run(
        ["/usr/bin/env", "-i", "python3", "-I", "-S", str(tmp_path), "look", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
    )

    assert json.loads(done.stdout) == {"asked": None, "interrupted": False, "batches": []}
