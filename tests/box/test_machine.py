"""One machine, from its first boot: who gets in, what runs on it, what no run can do to it."""

from __future__ import annotations

import gzip
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from launcher.aws.user_data import make_user_data
from tests.box.kit import Keys, bring_batch, ssh, wait_for
from tests.runner.kit import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.box.box import Box
    from tests.box.machine import BoxMachine

pytestmark = pytest.mark.root

DEADMAN = "launcher-deadman.timer"
PATIENT = "while [ ! -e go ]; do sleep 0.1; done; echo done"
# What a run might try against the deadman. None of it may work.
ATTACKS = (
    f"systemctl stop {DEADMAN}",
    f"systemctl disable --now {DEADMAN}",
    f"systemctl mask {DEADMAN}",
    "systemctl stop launcher-backstop.timer",
    "systemctl edit --runtime launcher-deadman.service",
    "kill -9 1",
    "kill -9 $(pgrep -o -f systemd-journald)",
    "date -s 2001-01-01",
    "sudo -n true",
    "su -c true",
    "sh -c 'echo {} > /etc/launcher/machine.json'",
    "rm -rf /etc/launcher/machine.json",
    "mv /etc/launcher /etc/gone",
    "sh -c 'echo 9999999999 > /var/lib/launcher/lease'",
    "touch /var/lib/launcher/lease",
    "rm -rf /var/lib/launcher",
    "sh -c 'echo > /usr/local/lib/launcher/__main__.py'",
    "ln -sf /dev/null /etc/systemd/system/launcher-deadman.service",
    "/usr/local/lib/launcher/lease 999999",
    "/usr/local/lib/launcher/start x",
    "cat /etc/ssh/ssh_host_ed25519_key",
    "cat /home/launcher/.ssh/authorized_keys",
    "sh -c 'cat /var/lib/cloud/instance/user-data.txt'",
    "mount -o remount,ro /",
    "dd if=/dev/zero of=/proc/sysrq-trigger count=1",
)


@pytest.fixture(scope="module")
def machine(shared_box: Box, keys: Keys) -> BoxMachine:
    """A machine that lives as long as the tests of this file."""
    machine = shared_box.boot("i-whole", user_data=make_user_data(keys.birth(lost_s=15)))
    wait_for(machine, "test -f /var/lib/launcher/ready")
    return machine


def test_the_deadman_ticks_before_anybody_can_get_in(machine: BoxMachine, keys: Keys) -> None:
    said = ssh(machine, keys, "cat /var/lib/launcher/armed; stat -c %Y /home/launcher/.ssh/authorized_keys")

    assert said.returncode == 0, said.stderr
    armed, key_came = said.stdout.split()
    assert int(armed) <= int(key_came)


def test_only_the_key_from_home_opens_and_only_the_key_made_at_home_answers(
    machine: BoxMachine, keys: Keys, tmp_path: Path
) -> None:
    scan = subprocess.run(
        ["ssh-keyscan", "-T", "20", machine.address], capture_output=True, text=True, check=True
    )
    offered = {tuple(line.split()[1:]) for line in scan.stdout.splitlines() if not line.startswith("#")}
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "login")], check=True)
    stranger = Keys(tmp_path / "login", keys.host)

    assert offered == {tuple(keys.host.with_suffix(".pub").read_text().split()[:2])}
    assert ssh(machine, keys, "sudo -n -u runner -- id -un").stdout == "runner\n"
    for user in ("runner", "root"):
        assert ssh(machine, keys, "true", user=user).returncode == 255
    assert ssh(machine, stranger, "true").returncode == 255


def test_cloud_init_itself_finds_nothing_wrong_with_it(machine: BoxMachine, keys: Keys) -> None:
    text = gzip.decompress(make_user_data(keys.birth(spot=True)))
    check = "cat > /tmp/it && cloud-init schema --config-file /tmp/it"

    assert "Valid cloud-config" in machine.inside("sh", "-c", check, stdin=text).stdout
    assert machine.inside("cloud-init", "status", "--wait").stdout.split() == ["status:", "done"]


def test_a_run_can_do_nothing_against_the_deadman(machine: BoxMachine) -> None:
    worked = [each for each in ATTACKS if not machine.inside("sh", "-c", each, user="runner").returncode]
    timers = machine.inside("systemctl", "is-active", DEADMAN, "launcher-backstop.timer").stdout

    assert worked == []
    assert timers == "active\nactive\n"


def test_pipes_and_links_in_the_home_of_runs_neither_stop_nor_fool_the_deadman(machine: BoxMachine) -> None:
    home = "/home/runner/.launcher"
    traps = (
        f"mkdir -p {home}/batches/trap/requests; cd {home}/batches/trap; mkfifo runner.json; "
        f"ln -s /dev/zero plan.json; mkfifo {home}/poweroff; ln -s /etc/shadow start.json"
    )
    machine.inside("sh", "-c", traps, user="runner")
    ticked = machine.inside("stat", "-c", "%Y", "/var/lib/launcher/life.json").stdout

    wait_for(machine, f"test $(stat -c %Y /var/lib/launcher/life.json) -gt $(({ticked.strip()} + 2))")
    machine.inside("sh", "-c", f"rm -r {home}/batches/trap {home}/poweroff", user="runner")


def test_home_extends_the_lease_with_one_command(machine: BoxMachine, keys: Keys) -> None:
    said = ssh(machine, keys, "sudo -n /usr/local/lib/launcher/lease 1200 && cat /var/lib/launcher/lease")

    assert '"seconds": 1200.0' in said.stdout, said.stderr


def test_a_runner_that_is_killed_is_started_again_and_so_after_a_reboot(
    machine: BoxMachine, tmp_path: Path
) -> None:
    batch = bring_batch(machine, tmp_path, Job(run=PATIENT), Job(run="exit 3", name="last"))
    batch.wait_for_states("running", "queued")
    first = batch.runner_pid()

    machine.inside("kill", f"-{signal.SIGKILL}", str(first))
    wait_for(machine, f"! grep -q '\"pid\": {first},' {batch.path}/runner.json", timeout_s=120)
    batch.wait_for_states("running", "queued")
    boot = batch.read("runner.json")["boot_id"]
    machine.reboot()
    wait_for(machine, f"! grep -q {boot} {batch.path}/runner.json", timeout_s=120)
    batch.wait_for_states("running", "queued")
    machine.inside("touch", f"{batch.path}/runs/{batch.frozen.ids[0]}/work/go")
    batch.wait_for_states("succeeded", "failed")

    assert [batch.read("runs", run, "state.json")["attempt"] for run in batch.frozen.ids] == [3, 1]


def test_the_runner_asks_for_the_end_with_a_file(machine: BoxMachine, shared_box: Box) -> None:
    machine.inside("sh", "-c", "echo all done > /home/runner/.launcher/poweroff", user="runner")

    assert machine.wait_off(120)
    with shared_box.mounted(machine.disk) as root:
        assert (root / "var/lib/launcher/reason").read_text() == "asked for: all done\n"
