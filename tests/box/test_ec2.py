"""EC2 in a box: what a call to EC2 does to a real machine, and what a machine does to EC2."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from launcher.aws.user_data import make_user_data
from tests.box.kit import ssh, wait_for
from tests.fake_ec2 import seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.box.ec2 import BoxEc2
    from tests.box.kit import Keys

pytestmark = pytest.mark.root
DISK = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "DeleteOnTermination": False}}


@pytest.fixture
def ec2(box_ec2: BoxEc2) -> Any:
    return boto3.client("ec2", region_name="us-west-2", endpoint_url=box_ec2.fake.endpoint)


def launch(ec2: Any, keys: Keys, **changes: Any) -> str:
    answer = ec2.run_instances(
        ImageId=seeds.image_id("us-west-2"),
        InstanceType="g6.xlarge",
        MinCount=1,
        MaxCount=1,
        InstanceInitiatedShutdownBehavior="terminate",
        UserData=make_user_data(keys.birth(**changes)),
        BlockDeviceMappings=[DISK],
    )
    return str(answer["Instances"][0]["InstanceId"])


def wait_until(is_so: Callable[[], bool], *, timeout_s: float = 90.0) -> None:
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def instance_of(ec2: Any, instance: str) -> Any:
    return ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def is_in(ec2: Any, instance: str, state: str) -> bool:
    return bool(instance_of(ec2, instance)["State"]["Name"] == state)


def test_the_disk_of_a_machine_that_ended_itself_is_read_on_another(
    ec2: Any, box_ec2: BoxEc2, keys: Keys
) -> None:
    first, second = launch(ec2, keys), launch(ec2, keys)
    wait_until(lambda: is_in(ec2, first, "running"))
    described = instance_of(ec2, first)
    volume = described["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    machine = box_ec2.machines[first]
    wait_for(machine, "test -f /var/lib/launcher/ready")

    hello = ssh(machine, keys, "sudo -n -u runner sh -c 'echo kept > ~/result; sync; hostname'")
    machine.inside("sh", "-c", "echo enough > /home/runner/.launcher/poweroff")
    wait_until(lambda: is_in(ec2, first, "terminated"))
    other = box_ec2.machines[second]
    wait_for(other, "test -f /var/lib/launcher/ready")
    ec2.attach_volume(VolumeId=volume, InstanceId=second, Device="/dev/sdf")
    by_id = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"
    read = ssh(
        other,
        keys,
        f"sudo mount -o ro,noload {by_id} /mnt && sudo cat /mnt/home/runner/result && sudo umount /mnt",
    )
    ec2.detach_volume(VolumeId=volume, InstanceId=second)
    ec2.delete_volume(VolumeId=volume)
    ec2.terminate_instances(InstanceIds=[second])
    wait_until(lambda: is_in(ec2, second, "terminated"))

    assert hello.returncode == 0, hello.stderr
    assert machine.address == described["PublicIpAddress"]
    assert instance_of(ec2, first)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert (read.returncode, read.stdout) == (0, "kept\n"), read.stderr
    assert not (box_ec2.box.folder / f"{volume}.img").exists()
    assert not other.is_running
