"""A computer by its SSH server as a target: what the user's ssh knows of it counts."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from launcher.errors import NodeError, UsageError
from launcher.nodes.ssh_address import Address
from launcher.plan.values import MachineNeeds
from launcher.targets.local import hash_interpreter
from launcher.targets.places import is_elsewhere, node_of
from launcher.targets.ssh import SshTarget, find_address, open_ssh_node
from tests.sshd import running_sshd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launcher.targets.target import Target
    from tests.sshd import Sshd

NEEDS = MachineNeeds(types=("g6.xlarge",), regions=("us-west-2",))
ME = getpass.getuser()
WORDS: list[tuple[str, dict[str, Any], Address]] = [
    ("ssh:box", {}, Address("box", 22, ME)),
    ("ssh:you@box", {}, Address("box", 22, "you")),
    ("ssh:you@box:2222", {}, Address("box", 2222, "you")),
    ("ssh:[::1]:2222", {}, Address("::1", 2222, ME)),
    ("ssh:you@[fe80::1]", {}, Address("fe80::1", 22, "you")),
    ("ssh:box", {"hostname": "10.0.0.1", "port": "7", "user": "them"}, Address("10.0.0.1", 7, "them")),
    ("ssh:you@box:8", {"hostname": "10.0.0.1", "port": "7", "user": "them"}, Address("10.0.0.1", 8, "you")),
]


@pytest.mark.parametrize(("on", "config", "address"), WORDS)
def test_a_word_leads_to_an_address(on: str, config: dict[str, Any], address: Address) -> None:
    assert find_address(on, config) == address


@pytest.mark.parametrize("on", ["ssh:", "ssh:a b", "ssh:@box", "ssh:box:port", "ssh:box:0", "ssh:box:99999"])
def test_a_word_that_names_no_computer_is_told(on: str) -> None:
    with pytest.raises(UsageError, match="names no computer"):
        SshTarget(on)


def test_an_address_is_written_as_people_write_it() -> None:
    assert [str(Address("box", 22, "me")), str(Address("::1", 7, "me"))] == ["me@box", "me@[::1]:7"]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "sshd", home=tmp_path / "their home") as server:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        (tmp_path / ".ssh").mkdir()
        write_config(tmp_path, server)
        key = server.known.pinned()[0].line
        (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{server.address.port} {key}\n")
        yield server


def write_config(home: Path, server: Sshd, *more: str) -> None:
    lines = [
        "Host box",
        "HostName 127.0.0.1",
        f"Port {server.address.port}",
        f"IdentityFile {server.key}",
        *more,
    ]
    (home / ".ssh" / "config").write_text("\n".join(lines) + "\n")


def test_the_fleet_is_the_gpus_and_packages_there(box: Sshd) -> None:
    target: Target = SshTarget("ssh:box")

    fleet = target.fleet(NEEDS)

    assert (target.name, fleet.gpus, fleet.offers) == ("ssh:box", 0, ())
    assert len(fleet.interpreter_hash) == 64
    assert box.home.exists()


def test_equal_interpreters_there_and_here_have_equal_hashes(box: Sshd) -> None:
    from launcher.targets.ssh import _hash_interpreter

    with open_ssh_node("ssh:box", python=sys.executable) as node:
        assert _hash_interpreter(node) == hash_interpreter()
    assert box.home.exists()


def test_a_batch_remembers_where_it_runs(box: Sshd, tmp_path: Path) -> None:
    batch = tmp_path / "home" / "batches" / "b"
    batch.mkdir(parents=True)
    target: Target = SshTarget("ssh:box")

    with target.acquire(batch, offers=()) as node:
        home, python = node.home, node.python
    with node_of(batch) as again:
        assert (again.home, again.python) == (home, python)
        assert again.run(["echo", "there"], timeout_s=30).stdout == b"there\n"

    assert str(home) == f"{box.home}/.launcher"
    assert is_elsewhere(batch)
    assert json.loads((batch / "place.json").read_bytes())["on"] == "ssh:box"


def test_a_batch_without_a_place_runs_where_its_plan_says(tmp_path: Path) -> None:
    batch = tmp_path / "home" / "batches" / "b"
    batch.mkdir(parents=True)
    plan = {"schema": 1, "jobs": [], "runs": []}
    (batch / "plan.json").write_text(json.dumps(plan))

    with node_of(batch) as node:
        assert node.home == tmp_path / "home"
    assert not is_elsewhere(batch)
    (batch / "plan.json").write_text(json.dumps({**plan, "on": "moon"}))
    with pytest.raises(UsageError, match="to which there is no way"), node_of(batch):
        pass


@pytest.mark.parametrize("line", ["ProxyJump other", "ProxyCommand nc %h %p"])
def test_a_way_that_is_not_followed_is_refused(box: Sshd, tmp_path: Path, line: str) -> None:
    write_config(tmp_path, box, line)

    with pytest.raises(UsageError, match="which launcher does not follow"), open_ssh_node("ssh:box"):
        pass


def test_a_config_that_cannot_be_read_is_told(box: Sshd, tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "config").write_text("Host box\nnonsense\n")

    with pytest.raises(UsageError, match="cannot be read"), open_ssh_node("ssh:box"):
        pass
    assert box.home.exists()


def test_another_known_hosts_may_be_named_and_a_stranger_is_refused(box: Sshd, tmp_path: Path) -> None:
    write_config(tmp_path, box, f"UserKnownHostsFile {tmp_path / 'other'}")

    with pytest.raises(NodeError, match="is not known"), open_ssh_node("ssh:box"):
        pass
    (tmp_path / ".ssh" / "known_hosts").rename(tmp_path / "other")
    with open_ssh_node("ssh:box") as node:
        assert node.python
