"""Come to a batch from another computer of the same account: found by tags, let in for a minute.

The machine proves who it is by the key that stands in its tag; EC2 Instance Connect lets our own key in once,
and over that connection it is written down there. From then on this home is one like the first. A home that
knew the machine before is never touched.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from launcher.aws import machines, security, tags
from launcher.aws.connect import send_public_key
from launcher.aws.identity import who
from launcher.aws.regions import remember_region
from launcher.aws.user_data import ADMIN
from launcher.errors import AwsError, HostKeyError, NodeError, SshError
from launcher.nodes.ssh_keys import make_key
from launcher.pull import Puller, fetch_frozen
from launcher.results.find import match_one
from launcher.results.place import Place, Rented
from launcher.runner import names
from launcher.targets.ec2 import write_place
from launcher.targets.ec2_keys import host_keys, login_key, remove_keys
from launcher.targets.ec2_open import open_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine
    from launcher.nodes.ssh_connection import Connection
    from launcher.targets.ec2_rent import Terms

_ASK_S = 60.0
_REMEMBER = """
umask 077
mkdir -p ~/.ssh
grep -qxF "$1" ~/.ssh/authorized_keys 2>/dev/null || echo "$1" >> ~/.ssh/authorized_keys
"""


def find_running(prefix: str, terms: Terms, regions: Iterable[str]) -> Machine | None:
    """Return the running machine of the one batch whose id begins so; None where there is none.

    Raises:
        AwsError: AWS can't be asked.
        UsageError: several batches begin so.
    """
    found = [each for region in regions for each in machines.find_machines(terms.cloud_of(region))]
    up = {each.batch: each for each in found if each.state == machines.RUNNING}
    meant = match_one("batches with a machine", prefix, sorted(up))
    return up[meant] if meant else None


def join(machine: Machine, terms: Terms) -> Path:
    """Make a batch that another computer submitted one of this home. Returns: its folder.

    Raises:
        NodeError: the machine can't be entered, or is not who it should be.
        AwsError: AWS can't be asked.
    """
    rented = _describe(machine)
    batch = terms.home / names.BATCHES / machine.batch
    try:
        public = _make_keys(machine, rented, terms)
        _let_in(machine, public, terms)
        with open_machine(rented, home=terms.home, clock=terms.clock, sleep=terms.sleep) as (link, node):
            _remember(link, public)
            terms.tell(f"{machine.batch} is on {machine.id}; bringing it here")
            batch.mkdir(parents=True, exist_ok=True)
            write_place(batch, Place((rented,)))  # before the plan, without which it is no batch yet
            fetch_frozen(node, batch)
            Puller(node, batch, now=terms.now).pull()
    except (SshError, AwsError) as error:
        remove_keys(terms.home, rented.key)
        if isinstance(error, HostKeyError):
            raise
        raise _no_way(machine, error) from error
    return batch


def _make_keys(machine: Machine, rented: Rented, terms: Terms) -> str:
    """Pin the machine's host key and make ours. Returns: the public one."""
    if not machine.host_key:
        raise NodeError(
            f"{machine.id} has no {tags.HOST_KEY} tag, so it could not prove who it is.",
            "It is being made ready: try again in a minute. To end it: launcher reap",
        )
    host_keys(terms.home, rented.key).pin([machine.host_key])
    return make_key(login_key(terms.home, rented.key))


def _let_in(machine: Machine, public: str, terms: Terms) -> None:
    cloud = terms.cloud_of(machine.region)
    remember_region(terms.home, machine.region)
    _open_port(cloud, machine, terms)
    send_public_key(cloud, machine, user=ADMIN, public_key=public)


def _open_port(cloud: Cloud, machine: Machine, terms: Terms) -> None:
    """See that this computer's address is let in; that of another computer stays."""
    owner = machine.tags.get(tags.OWNER) or who(cloud).name
    cidr = terms.cidr or security.my_address()
    security.ensure_group(cloud, vpc=machine.vpc, cidr=cidr, owner=owner, client=terms.client)


def _remember(connection: Connection, public: str) -> None:
    done = connection.run_as_admin(["sh", "-c", _REMEMBER, "sh", public], timeout_s=_ASK_S)
    if done.exit_code:
        raise NodeError("The machine did not take our key.", "Try again: launcher attach")


def _describe(machine: Machine) -> Rented:
    given, launched_at = machine.tags, machine.launched_at
    ends_at = machine.expires_at or launched_at + timedelta(hours=1)
    return Rented(
        machine=machine.id,
        region=machine.region,
        zone=machine.zone,
        type=machine.type,
        market=machine.market,
        usd_per_hour=float(given.get(tags.PRICE) or 0.0),
        launched_at=launched_at.isoformat(timespec="seconds"),
        expires_at=ends_at.isoformat(timespec="seconds"),
        address=machine.address or "",
        volume=next(iter(machine.volumes.values()), ""),
        attempt=machine.token,
        key=f"{machine.batch}-joined",
        environment=given.get(tags.ENVIRONMENT, ""),
    )


def _no_way(machine: Machine, error: AwsError | SshError) -> NodeError:
    return NodeError(
        f"{machine.batch} is on {machine.id} ({machine.region}), which can't be entered from here: "
        f"{error.what}",
        "EC2 Instance Connect is needed for that: its agent in the image, and for you the permission "
        "ec2-instance-connect:SendSSHPublicKey (see launcher iam-policy). Without it launcher ps shows the "
        f"machine, launcher reap {machine.id} ends it and leaves its disk, and the computer that submitted "
        "the batch can attach, or recover it.",
    )
