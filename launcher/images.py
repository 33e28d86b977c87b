"""Build an image in which the locked stack is installed, so that a night does not begin with an installation.

A machine is rented as for a batch, with its own end; the recipe `ami/` runs on it; an image is made of its
disk; a second machine starts from that image and is looked over. Only then is the image preferred. Whatever
fails on the way, no machine and no image stays: `rent` ends its machines, and an image that does not pass is
retired.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from launcher.aws import own_images
from launcher.errors import NodeError
from launcher.runner.environment import KEY_LENGTH
from launcher.runner.install import IMAGE_ENVIRONMENTS
from launcher.targets.stack import hash_stack, recipe_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from launcher.aws.cloud import Cloud
    from launcher.aws.own_images import OwnImage
    from launcher.nodes.node import Completed

RECIPE = "/var/tmp/launcher-ami"  # noqa: S108 - on a machine that is ours alone
_PACK_S = 60.0
_PROVISION_S = 3600.0
_VERIFY_S = 900.0
_LAST_LINES = 3


class Admin(Protocol):
    """The account of a machine that may do everything there."""

    def run_as_admin(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run a program to its end."""


class Rent(Protocol):
    """Gives a machine, and ends it when it is left, whatever happens."""

    def __call__(self, *, image: str | None) -> AbstractContextManager[tuple[str, Admin]]:
        """Rent a machine that starts from an image, by default the one that plans choose.

        Returns:
            a context manager that gives the machine's id and a connection to it.
        """


@dataclass(frozen=True, slots=True)
class Build:
    """What is to be built.

    Attributes:
        gpu: "current"; or "volta", which needs an older driver than Amazon's images have.
        has_gpu: whether the machines that are rented have a GPU, which must then be seen.
        owner: whose image it will be.
    """

    gpu: str
    has_gpu: bool
    owner: str
    driver: str = ""


def build_image(
    cloud: Cloud, build: Build, *, rent: Rent, now: Callable[[], datetime], tell: Callable[[str], None]
) -> OwnImage:
    """Build, check and mark an image.

    Args:
        rent: how to get a machine; called twice.
        tell: takes lines about what happens.

    Raises:
        NodeError: the recipe failed, or a machine that started from the image does not work.
        AwsError: AWS refuses.
    """
    name = f"launcher-{build.gpu}-{hash_stack()[:KEY_LENGTH]}-{now():%Y%m%d%H%M%S}"
    with rent(image=None) as (machine, admin):
        tell("installing the stack: this takes some minutes")
        provision(admin, build)
        verify(admin, has_gpu=build.has_gpu)
        clean_up(admin)
        tell(f"making {name}")
        image = own_images.create_image(
            cloud, machine, name=name, environment=hash_stack(), gpu=build.gpu, owner=build.owner
        )
        made = own_images.wait_available(cloud, image)
    try:
        tell(f"trying {made.id}")
        with rent(image=made.id) as (_, admin):
            send_recipe(admin)
            verify(admin, has_gpu=build.has_gpu)
    except BaseException:
        own_images.retire(cloud, made)
        raise
    own_images.mark_verified(cloud, made.id, now())
    return made


def provision(admin: Admin, build: Build) -> None:
    """Run the recipe.

    Raises:
        NodeError: it failed; its last words are told.
    """
    send_recipe(admin)
    _do(admin, ["bash", f"{RECIPE}/provision.sh", _folder(), build.driver], timeout_s=_PROVISION_S)


def verify(admin: Admin, *, has_gpu: bool) -> None:
    """See that the stack is whole, and that it sees the GPU.

    Raises:
        NodeError: it is not.
    """
    flags = ["--gpu"] if has_gpu else []
    argv = [f"{_folder()}/bin/python", f"{RECIPE}/verify.py", f"{RECIPE}/requirements.lock", *flags]
    _do(admin, argv, timeout_s=_VERIFY_S)


def clean_up(admin: Admin) -> None:
    """Take away what belongs to this machine alone: keys, names, its end, the recipe."""
    _do(admin, ["bash", f"{RECIPE}/clean.sh"], timeout_s=_PACK_S)


def send_recipe(admin: Admin) -> None:
    """Bring the recipe to a machine.

    Raises:
        NodeError: it could not be unpacked.
    """
    _do(admin, ["mkdir", "-p", RECIPE], timeout_s=_PACK_S)
    _do(admin, ["tar", "-x", "-C", RECIPE], timeout_s=_PACK_S, stdin=_pack())


def _folder() -> str:
    return f"{IMAGE_ENVIRONMENTS}/{hash_stack()[:KEY_LENGTH]}"


def _pack() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(recipe_folder().iterdir()):
            if path.is_file():
                archive.add(path, arcname=path.name)
    return packed.getvalue()


def _do(admin: Admin, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> None:
    done = admin.run_as_admin(["sudo", "-n", *argv], timeout_s=timeout_s, stdin=stdin)
    if done.exit_code:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()[-_LAST_LINES:]
        raise NodeError(
            f"{argv[0]} {argv[-1]} failed on the machine: {' / '.join(said) or 'without a word'}.",
            'Mend the recipe in ami/, or take another image: image = "ami-…" in the settings.',
        )
