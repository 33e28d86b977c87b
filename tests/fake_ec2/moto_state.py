"""The one place that reaches into moto: its backends, and the few things in it that differ from AWS."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

# Read when moto is imported: types and images that do not exist are refused, as on AWS. A new account then
# has only the images that `seeds` adds: moto's own take seconds.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
os.environ["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "true"
os.environ["MOTO_ENABLE_AMI_VALIDATION"] = "true"

from moto.core.utils import utcnow
from moto.ec2 import utils
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceState, StateReason
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from moto.scheduler.models import scheduler_backends
from moto.ssm.models import Parameter, ssm_backends

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
PENDING, RUNNING, STOPPING, STOPPED = ("pending", 0), ("running", 16), ("stopping", 64), ("stopped", 80)
SHUTTING_DOWN, TERMINATED = ("shutting-down", 32), ("terminated", 48)
RequestHandler: Any = MotoRequestHandler


def make_app() -> Any:
    """Return moto as a WSGI application."""
    return DomainDispatcherApplication(create_backend_app)


def reset() -> None:
    """Forget everything."""
    moto_api_backend.reset()


def backend(region: str) -> Any:
    """Return moto's EC2 of a region."""
    return ec2_backends[ACCOUNT][region]


def regions() -> tuple[str, ...]:
    """Return the regions of which moto has any state."""
    return tuple(ec2_backends[ACCOUNT])


def all_instances() -> Iterator[Any]:
    """Yield the instances of all regions."""
    for region in regions():
        for reservation in list(backend(region).reservations.values()):
            yield from reservation.instances


def set_state(instance: Any, state: tuple[str, int]) -> None:
    """Set what state an instance is in."""
    instance._state = InstanceState(*state)


def set_reason(instance: Any, code: str) -> None:
    """Set why an instance is in its state."""
    instance.state_reason = StateReason(f"{code}: {code.partition('.')[2]}", code)


def forget(instance: Any) -> None:
    """Let an instance vanish, as those do that were terminated an hour ago."""
    held = instance.ec2_backend.reservations
    for key in [key for key, value in held.items() if instance in value.instances]:
        del held[key]


def schedules(region: str) -> Iterator[tuple[Any, Any]]:
    """Yield the schedules of a region, with the group of each."""
    for group in list(scheduler_backends[ACCOUNT][region].schedule_groups.values()):
        for schedule in list(group.schedules.values()):
            yield group, schedule


def scheduler_regions() -> tuple[str, ...]:
    """Return the regions of which moto has any schedules."""
    return tuple(scheduler_backends[ACCOUNT])


def put_object(bucket: str, key: str, content: bytes) -> None:
    """Put an object into a bucket."""
    s3_backends[ACCOUNT]["aws"].put_object(bucket, key, content)


def vcpus(instance_type: str) -> int:
    """Return the virtual CPUs of a type, 0 where it is unknown."""
    info = INSTANCE_TYPES.get(instance_type)
    return int(info["VCpuInfo"]["DefaultVCpus"]) if info else 0


def is_offered(instance_type: str, *, region: str, zone: str | None) -> bool:
    """Whether a type is offered in a region or a zone of it."""
    kind, place = ("availability-zone", zone) if zone else ("region", region)
    offers = INSTANCE_TYPE_OFFERINGS[kind].get(region, ())
    return any(o["InstanceType"] == instance_type and o["Location"] == place for o in offers)


def add_image(region: str, *, ami_id: str, name: str, owner: str, root_device: str = "/dev/sda1") -> None:
    """Add an image of Amazon or of another owner."""
    held = backend(region)
    zone = f"{region}a"
    held.amis[ami_id] = Ami(
        held, ami_id, name=name, description=name, owner_id=owner, owner_alias="amazon", public=True,
        virtualization_type="hvm", architecture="x86_64", root_device_type="ebs", region_name=zone,
        root_device_name=root_device,
    )  # fmt: skip


def add_parameter(region: str, *, name: str, value: str) -> None:
    """Add a public parameter; PutParameter refuses names below /aws."""
    ssm_backends[ACCOUNT][region]._parameters[name].append(
        Parameter(
            account_id=ACCOUNT, name=name, value=value, parameter_type="String", description=None,
            allowed_pattern=None, keyid=None, last_modified_date=utcnow().timestamp(), version=1,
            data_type="aws:ec2:image",
        )
    )  # fmt: skip


@contextmanager
def hidden(instances: list[Any]) -> Iterator[None]:
    """Hide instances for the time of one request."""
    backends = {id(each.ec2_backend): each.ec2_backend for each in instances}.values()
    kept = [(held, dict(held.reservations)) for held in backends]
    for each in instances:
        forget(each)
    try:
        yield
    finally:
        for held, reservations in kept:
            held.reservations.clear()
            held.reservations.update(reservations)


def _address(instance: Any) -> str | None:
    """Return an instance's address in the internet, which it has only while it runs."""
    if instance._state.name != "running" or not instance.nics or not instance.nics[0].public_ip:
        return None
    return str(instance.__dict__.get("fake_address", instance.nics[0].public_ip))


Instance.public_ip = Instance.public_ip_address = property(_address)
VolumeAttachment.delete_on_termination = property(
    lambda self: self.instance.block_device_mapping[self.device].delete_on_termination
)
utils.filter_dict_attribute_mapping |= {
    "client-token": "client_token",
    "instance-lifecycle": "lifecycle",
    "spot-instance-request-id": "spot_instance_request_id",
}
Instance.spot_instance_request_id = None
