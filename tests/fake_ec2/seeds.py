"""What every account finds in a region: Amazon's images and the parameters that name them."""

from __future__ import annotations

import hashlib

from tests.fake_ec2 import moto_state as moto

REGIONS = ("us-west-2", "us-east-1")
AMAZON, CANONICAL = "898082745236", "099720109477"
BASE = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20260717"
UBUNTU = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260701"
BASE_PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
UBUNTU_PARAMETER = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def seed(region: str) -> None:
    """Add images and parameters to a region."""
    for name, owner, parameter in ((BASE, AMAZON, BASE_PARAMETER), (UBUNTU, CANONICAL, UBUNTU_PARAMETER)):
        image = image_id(region, name)
        moto.add_image(region, ami_id=image, name=name, owner=owner)
        moto.add_parameter(region, name=parameter, value=image)


def image_id(region: str, name: str = BASE) -> str:
    """Return the id that an image has in a region."""
    return "ami-" + hashlib.sha256(f"{region}{name}".encode()).hexdigest()[:17]
