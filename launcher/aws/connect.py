"""The way in for another computer of the same account: EC2 Instance Connect takes a key for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.aws.cloud import Cloud
    from launcher.aws.machines import Machine


def send_public_key(cloud: Cloud, machine: Machine, *, user: str, public_key: str) -> None:
    """Let a key in for 60 seconds.

    Raises:
        AwsError: it is not allowed, or the machine can't do that.
    """
    cloud.call(
        "ec2-instance-connect",
        "SendSSHPublicKey",
        InstanceId=machine.id,
        InstanceOSUser=user,
        SSHPublicKey=public_key,
        AvailabilityZone=machine.zone,
    )
